/** When seeding ends, in words. */
import { formatDuration } from '../../shared/text.js'
import type { SeedGoal, SeedGoals } from '../../shared/views.js'

export function goalsText({ ratio, time, idle }: SeedGoals): string {
  const all = [ratio, time, idle]
  if (all.every((goal) => goal === 'default')) return 'seeds as the settings say'
  if (all.every((goal) => goal === 'none')) return 'seeds for ever'
  const parts = [
    one(ratio, 'ratio', (figure) => `at ratio ${figure.toFixed(2)}`),
    one(time, 'time', (seconds) => `after ${formatDuration(seconds)} of seeding`),
    one(idle, 'idle', (seconds) => `after ${formatDuration(seconds)} without an upload`),
  ]
  return `seeding ends ${parts.filter((part) => part !== null).join(', ')}`
}

function one(goal: SeedGoal, name: string, text: (figure: number) => string): string | null {
  if (goal === 'none') return null
  return goal === 'default' ? `as seed.${name} says` : text(goal)
}

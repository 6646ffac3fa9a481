/** `completion`: what a shell needs to complete our words. */
import { verb } from '../context.js'
import { EXIT } from '../exit.js'
import { renderCompletion, SHELLS } from '../render/completion.js'
import type { Declare, ShownVerb } from '../tree.js'

/** `verbs` are asked for when it is run: it is one of them. */
export function completionCommand(verbs: () => readonly ShownVerb[]): Declare {
  return (cli) =>
    cli.command(
      'completion <shell>',
      'Let a shell complete commands, options and ids',
      (command) =>
        command.positional('shell', {
          choices: SHELLS,
          demandOption: true,
          describe: 'Which one',
        }),
      verb((context, { shell }) => {
        const script = renderCompletion(shell, verbs())
        if (context.json) context.outJson({ shell, script })
        else context.out(script)
        return Promise.resolve(EXIT.ok)
      }),
    )
}

/** The settings in a table. */
import type { SettingView } from '../../shared/rpc/contract.js'
import { escapeText } from '../../shared/text.js'
import type { Style } from './style.js'
import { type Column, renderTable } from './table.js'

const COLUMNS: readonly Column<SettingView>[] = [
  { title: 'SETTING', cell: (setting) => escapeText(setting.key) },
  { title: 'VALUE', cell: (setting) => escapeText(String(setting.value)) || '""' },
  {
    title: 'FROM',
    cell: (setting) => setting.source,
    look: (setting) => (setting.source === 'default' ? 'dim' : null),
  },
  { title: 'WHAT', flexible: true, from: 100, cell: (setting) => escapeText(setting.summary) },
]

export function renderSettings(settings: readonly SettingView[], style: Style): string {
  return renderTable(settings, COLUMNS, style)
}

/** The page docs/supported-apis.md: what the table of handlers says, for people. */
import { apis } from '../protocol/messages/index.ts'
import { handlers } from './handlers/index.ts'

export function supportedApisPage(): string {
  const rows = handlers.map(({ api, versions, advertisedOldest }) => {
    const noted = advertisedOldest === versions[0] ? '' : ` (${advertisedOldest} to ${versions[1]} in ApiVersions)`
    return [String(api.key), api.name, `${versions[0]} to ${versions[1]}${noted}`]
  })
  const answered = new Set(handlers.map(({ api }) => api.key))
  const others = apis.filter(({ key }) => !answered.has(key)).map(({ key, name }) => `${name} (${key})`)
  return [
    '# APIs that the embedded broker answers',
    '',
    'Generated from `src/broker/handlers/index.ts` by `node scripts/supported-apis.ts`; a test holds it current.',
    '',
    ...tableOf(['key', 'API', 'versions'], rows),
    '',
    `Defined in the protocol and not answered: ${others.join(', ')}.`,
    '',
  ].join('\n')
}

/** As the formatter leaves a table: columns of one width, the first one to the right. */
function tableOf(head: readonly string[], rows: readonly string[][]): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)))
  const lineOf = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) =>
      column === 0 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
    )
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, column) => (column === 0 ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  return [lineOf(head), lineOf(rule), ...rows.map(lineOf)]
}

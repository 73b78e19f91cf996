/** Files as Java's `Properties.load` reads them, for `--command-config` and the like. Values stay strings. */

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', f: '\f' }

export function parsePropertiesFile(text: string): Record<string, string> {
  const properties: Record<string, string> = {}
  for (const line of logicalLines(text)) {
    // The key ends at the first separator that is not escaped; one "=" or ":" with blanks around it belongs to neither.
    const match = /^((?:\\.|[^\\=:\s])+)\s*[=:]?\s*([\s\S]*)$/.exec(line)
    if (match) properties[unescaped(match[1]!)] = unescaped(match[2]!)
  }
  return properties
}

function* logicalLines(text: string): Generator<string> {
  let pending: string | undefined
  for (const line of text.split(/\r\n|\r|\n/)) {
    const content = line.trimStart()
    if (pending === undefined && (content === '' || content.startsWith('#') || content.startsWith('!'))) continue
    const whole = (pending ?? '') + content
    const isContinued = /(?:^|[^\\])(?:\\\\)*\\$/.test(whole)
    pending = isContinued ? whole.slice(0, -1) : undefined
    if (!isContinued) yield whole
  }
  if (pending !== undefined) yield pending
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g, (_, code: string | undefined, character: string) =>
    code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[character] ?? character),
  )
}

/**
 * The text of a consumer.conf: JSON or YAML, found out by looking at it. Turns it into plain values and says where it breaks;
 * what the values mean is conf.ts.
 */
import { LineCounter, parseDocument } from 'yaml'
import { ConfError, type ConfProblem } from './errors.ts'

/** Parses the text of `file`. Throws `ConfError` with line and column. */
export function parseConfText(text: string, file: string): unknown {
  const isYaml = /\.ya?ml$/i.test(file) || !/^\s*[[{]/.test(text)
  if (!isYaml) {
    const values = parseJson(text, file)
    // JSON.parse keeps the last of two equal names without a word; a YAML parser says so.
    const doubled = parseYaml(text.replaceAll('\t', ' ')).problems.filter(({ code }) => code === 'DUPLICATE_KEY')
    if (doubled.length > 0) throw new ConfError(file, doubled)
    return values
  }
  const { values, problems } = parseYaml(text)
  if (problems.length > 0) throw new ConfError(file, problems)
  return values
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const message = (error as Error).message
    const at = /at position (\d+)/.exec(message)
    const position = at ? Number(at[1]) : text.length
    const lines = text.slice(0, position).split('\n')
    const reason = message.replace(/,? ?(?:"[\s\S]*" is not valid JSON|in JSON at position \d+.*)$/, '')
    throw new ConfError(file, [
      { path: `line ${lines.length}, column ${lines.at(-1)!.length + 1}`, message: `is not JSON: ${reason}` },
    ])
  }
}

function parseYaml(text: string): { values: unknown; problems: (ConfProblem & { code: string })[] } {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const problems = document.errors.map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0])
    return { code: error.code, path: `line ${line}, column ${col}`, message: error.message }
  })
  return { values: problems.length > 0 ? undefined : document.toJS(), problems }
}

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
    const lines = text.slice(0, positionOfError(text)).split('\n')
    const reason = (error as Error).message.replace(
      /,? (?:\.*"[\s\S]* is not valid JSON|in JSON at position \d+.*)$/,
      '',
    )
    throw new ConfError(file, [
      { path: `line ${lines.length}, column ${lines.at(-1)!.length + 1}`, message: `is not JSON: ${reason}` },
    ])
  }
}

/** JSON.parse does not always say where. What it can read at most is found by halving: a longer beginning only breaks at the same place. */
function positionOfError(text: string): number {
  let readable = 0
  let broken = text.length
  while (broken - readable > 1) {
    const middle = (readable + broken) >> 1
    if (isBeginning(text.slice(0, middle))) readable = middle
    else broken = middle
  }
  return isBeginning(text) ? text.length : broken - 1
}

/** True when only the rest is missing. */
function isBeginning(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    const { message } = error as Error
    const at = /at position (\d+)/.exec(message)
    return /Unexpected end|Unterminated/.test(message) || (at !== null && Number(at[1]) === text.length)
  }
}

function parseYaml(text: string): { values: unknown; problems: (ConfProblem & { code: string })[] } {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  const problems = document.errors.map((error) => {
    const { line, col } = lineCounter.linePos(error.pos[0])
    // Some messages end with the text that was met, which may be a secret.
    const message = error.message.replace(/(?<! ): .*$/s, '')
    return { code: error.code, path: `line ${line}, column ${col}`, message }
  })
  if (problems.length > 0) return { values: undefined, problems }
  try {
    return { values: document.toJS(), problems }
  } catch (error) {
    // Found only when values are made of it: an alias without its anchor.
    const message = (error as Error).message.replace(/(?<! ): .*$/s, '')
    return { values: undefined, problems: [{ code: 'VALUES', path: '', message }] }
  }
}

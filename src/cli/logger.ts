/**
 * The log of the command line, on stderr so that stdout stays for records and tables: lines for people, or with
 * `--log-format json` pino's lines for programs.
 */
import { systemClock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export async function createLogger(level: LogLevel, format: 'text' | 'json'): Promise<Logger> {
  if (format === 'json') {
    const { pino } = await import('pino')
    return pino({ level }, pino.destination({ dest: 2, sync: true })) as Logger
  }
  return textLogger(level, (line) => void process.stderr.write(line))
}

export function textLogger(level: LogLevel, write: (line: string) => void, clock = systemClock): Logger {
  const at = (own: LogLevel) => (fields: object, message: string) => {
    if (logLevels.indexOf(own) < logLevels.indexOf(level)) return
    const time = new Date(clock.now()).toISOString().slice(11, 23)
    write(`${time} ${own.padEnd(5)} ${message}${restOf(fields, message)}\n`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** The fields that the message does not say already; of an error, what it says. */
function restOf(fields: object, message: string): string {
  const rest = Object.entries(fields)
    .map(([name, value]) => [name, value instanceof Error ? value.message : value] as const)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value) && !message.includes(String(value)))
  return rest.length === 0 ? '' : ` (${rest.map(([name, value]) => `${name} ${value}`).join(', ')})`
}

/** A logger in a thread that has no command line: what it is told goes as messages to the thread that has one. */
import type { Logger } from './logger.ts'

type LogLevel = keyof Logger
export type ThreadLogLevel = LogLevel | 'silent'

/** A line on its way. */
export interface LoggedInThread {
  readonly type: 'log'
  readonly level: LogLevel
  readonly fields: object
  readonly text: string
}

const levels: readonly ThreadLogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** @param lowest lines below it are not sent */
export function threadLogger(lowest: ThreadLogLevel, post: (message: LoggedInThread) => void): Logger {
  const at = (level: LogLevel): Logger[LogLevel] => {
    if (levels.indexOf(level) < levels.indexOf(lowest)) return () => {}
    return (fields, text) => {
      try {
        post({ type: 'log', level, fields, text })
      } catch {
        // A field that cannot be cloned (a function, a socket) must not cost the line.
        post({ type: 'log', level, fields: {}, text })
      }
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/**
 * How a command ends: 0 when it did what was asked, 1 when it failed, 2 when it was asked wrongly; `sluice lag` with 3 or 4 when it did and
 * the groups do not do well. A user's mistake and a failure outside are said in words, without a stack; only what nobody expected shows one.
 */
import { SluiceError } from '../error.ts'

export const FAILURE = 1
export const USAGE = 2
/** A group is judged WARNING, none worse. */
export const LAG_WARNING = 3
/** A group is judged ERROR. */
export const LAG_ERROR = 4

/** The command line was used wrongly. */
export class UsageError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_USAGE', message)
  }
}

/** A command failed, and `message` says all that there is to say. */
export class CommandError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_COMMAND', message, { cause })
  }
}

const usageCodes = new Set(['SLUICE_USAGE', 'SLUICE_CONF', 'SLUICE_CONFIG', 'SLUICE_SINK_OPTIONS'])

/** What to print for an error, and the exit code. */
export function describeError(error: unknown): { text: string; code: number } {
  if (error instanceof SluiceError) {
    return { text: error.message, code: usageCodes.has(error.code) ? USAGE : FAILURE }
  }
  const { code, path, message } = error as NodeJS.ErrnoException
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) {
    return { text: path === undefined ? message : `${path}: ${systemMessage(code, message)}`, code: FAILURE }
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { text: `unexpected error, please report it:\n${stack}`, code: FAILURE }
}

const systemMessages: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory, not a file',
  ENOTDIR: 'is not a directory',
  ENOSPC: 'no space left on the device',
  EEXIST: 'exists already',
  EADDRINUSE: 'the address is in use',
}

function systemMessage(code: string, message: string): string {
  return `${systemMessages[code] ?? message} (${code})`
}

/** Options that several commands have in common, under the names that Kafka's own tools give them, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { logLevels } from './logger.ts'

export interface ConnectionOptions {
  readonly bootstrapServer?: string
  readonly commandConfig?: string
}

export function withConnection(command: Command): Command {
  return command
    .option('--bootstrap-server <host:port,…>', 'where the cluster is (default: 127.0.0.1:9092)')
    .option('--command-config <file>', 'properties file with more settings of the client')
}

export function withJson(command: Command): Command {
  return command.option('--json', 'print JSON in place of a table')
}

export function withLog(command: Command): Command {
  return command
    .addOption(
      new Option('--log-level <level>', 'least level that is logged, on stderr').choices(logLevels).default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'lines for people or for programs').choices(['text', 'json']).default('text'),
    )
}

/** A whole number of at least `min`, for commander. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(
      max === Number.MAX_SAFE_INTEGER
        ? `A whole number of at least ${min} is needed.`
        : `A whole number from ${min} to ${max} is needed.`,
    )
  }
}

/** `name=value`, may be given several times. */
export function nameValue(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('The form is name=value.')
  return { ...before, [text.slice(0, at).trim()]: text.slice(at + 1) }
}

/** May be given several times, and hold several names with commas. */
export function names(text: string, before: readonly string[] = []): string[] {
  return [
    ...before,
    ...text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  ]
}

/** May be given several times; commas belong to the value. */
export function several(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}

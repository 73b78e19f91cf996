/**
 * What the conformance suite's child processes open: see sink-child.ts. The argument is a `sink` object as JSON, and `statementCharacters` beside it:
 * how many characters of rows go into one statement.
 */
import { sinks } from '../../src/sinks/index.ts'
import { MysqlSink } from '../../src/sinks/mysql.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export function makeSink(argument: string): Sink {
  const { statementCharacters, ...config } = JSON.parse(argument) as Record<string, unknown> & {
    statementCharacters?: number
  }
  const { options } = sinks.configure(config)
  const parts = statementCharacters === undefined ? {} : { statementCharacters }
  return new MysqlSink(options as ConstructorParameters<typeof MysqlSink>[0], parts)
}

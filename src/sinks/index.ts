/** The stores that Sluice brings, as a value to pass in. A program with stores of its own makes a registry with both. */
import { elasticsearchSink } from './elasticsearch.ts'
import { fileSink } from './file.ts'
import { influxdbSink } from './influxdb.ts'
import { mongodbSink } from './mongodb.ts'
import { mysqlSink } from './mysql.ts'
import { postgresSink } from './postgres.ts'
import { createSinkRegistry } from './registry.ts'
import { s3Sink } from './s3.ts'
import type { SinkRegistry } from './sink.ts'
import { sqliteSink } from './sqlite.ts'
import { stdoutSink } from './stdout.ts'

export const sinks: SinkRegistry = createSinkRegistry([
  elasticsearchSink,
  fileSink,
  influxdbSink,
  mongodbSink,
  mysqlSink,
  postgresSink,
  s3Sink,
  sqliteSink,
  stdoutSink,
])

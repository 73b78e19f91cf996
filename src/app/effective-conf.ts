/** An application with everything that holds for it, defaults included, under the names that a consumer.conf has for it; without its secrets. Reading it back gives the same application, but for those. */
import { parseConsumerConfig } from '../client/config.ts'
import { consumerProperties } from '../client/properties.ts'
import type { SinkRegistry } from '../sinks/sink.ts'
import type { HandlerConf } from './conf-handler.ts'
import type { ApplicationConf } from './conf.ts'
import { redactor, withoutSecrets } from './secrets.ts'

export function effectiveConf(application: ApplicationConf, sinks: SinkRegistry): Readonly<Record<string, unknown>> {
  const { topics, topicsPattern, flush, restart, sink, handler } = application
  const config = parseConsumerConfig(application.properties) as Readonly<Record<string, unknown>>
  const properties = Object.entries(consumerProperties)
    .filter(
      ([name, { support }]) =>
        name !== 'enable.auto.commit' &&
        !name.endsWith('.deserializer') &&
        (support !== 'default-only' || Object.hasOwn(application.properties, name)),
    )
    .map(([name]) => [name, config[name]] as const)
  const own = {
    ...(topicsPattern === undefined
      ? { topic: topics.length === 1 ? topics[0] : topics }
      : { 'topics.pattern': topicsPattern }),
    'consumer.no': application.consumers,
    value: application.value,
    key: application.key,
    ...application.registry,
    commit: application.commit,
    guarantee: application.guarantee,
    ...(sink ? { sink: { type: sink['type'], ...sinks.configure(sink).options } } : {}),
    ...(handler ? effectiveHandler(handler) : {}),
    'on.failure': application.onFailure,
    'dead.letter.topic': application.deadLetterTopic,
    ...(Object.keys(application.producer).length > 0 ? { producer: application.producer } : {}),
    'shutdown.timeout.ms': application.shutdownTimeoutMs,
    threads: application.threads,
    'thread.memory.mb': application.threadMemoryMb,
    'restart.max': restart.max,
    'restart.window.ms': restart.windowMs,
    'flush.records': flush.records,
    'flush.bytes': flush.bytes,
    'flush.interval.ms': flush.intervalMs,
    'buffer.bytes': application.bufferBytes,
  }
  const all = [...Object.entries(own), ...properties].filter(([, value]) => value !== undefined && value !== null)
  return withoutSecrets(Object.fromEntries(all), redactor(application.secrets))
}

function effectiveHandler({ file, order, concurrency, batchRecords, retry, isExactlyOnce }: HandlerConf) {
  return {
    handler: file,
    order,
    concurrency: Number.isFinite(concurrency) ? concurrency : undefined,
    'batch.records': batchRecords,
    'handler.retries': retry.retries,
    'handler.retry.backoff.ms': retry.backoffMs,
    'handler.retry.backoff.max.ms': retry.backoffMaxMs,
    'exactly.once': isExactlyOnce,
  }
}

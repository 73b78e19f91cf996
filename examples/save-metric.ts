/** Appends a metrics agent's lines (InfluxDB line protocol) to a .csv. Chapter: docs/lab/save-metric.md. Run: node examples/save-metric.ts [servers] [topic] [file] */
import { open } from 'node:fs/promises'
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'metrics', path = 'metrics.csv'] = process.argv.slice(2)

const consumer = new Consumer({
  'bootstrap.servers': servers,
  'group.id': 'metric-savers',
  'enable.auto.commit': false,
  'auto.offset.reset': 'earliest',
})
consumer.subscribe([topic])
process.once('SIGTERM', () => consumer.wakeup())
process.once('SIGINT', () => consumer.wakeup())

/** `mem,host=a total=16i,free=2i 1700000000000000000` as rows of measurement and tags, field, value, time in ns. */
function rowsOf(line: string): string[] {
  const [series = '', fields = '', time = ''] = line.split(' ')
  return fields.split(',').map((field) => [series.replaceAll(',', ';'), ...field.split('='), time].join(','))
}

const file = await open(path, 'a')
try {
  while (true) {
    const records = await consumer.poll(100)
    if (records.isEmpty) continue
    for (const record of records) await file.write(`${rowsOf(record.valueText() ?? '').join('\n')}\n`)
    // First on the disk, then committed: the other way round a death would lose lines.
    await file.sync()
    await consumer.commitSync()
    console.log(`saved ${records.count} lines`)
  }
} catch (error) {
  if (!(error instanceof WakeupError)) throw error
} finally {
  await file.close()
  await consumer.close()
}

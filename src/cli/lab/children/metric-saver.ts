/** Appends metrics to a .csv: a row a field. First the file, on the disk; then the commit. */
import { systemDisk } from '../../../seams/disk.ts'
import type { ChildLink } from '../child-link.ts'
import { groupConsumer, type GroupOptions } from './group-consumer.ts'

export interface MetricSaverOptions extends GroupOptions {
  readonly csv: string
  /** Lines after which it ends. */
  readonly records: number
}

export async function metricSaver(link: ChildLink, options: MetricSaverOptions, disk = systemDisk): Promise<void> {
  const consumer = groupConsumer(options)
  consumer.subscribe([options.topic])
  const file = await disk.open(options.csv, 'append')
  if ((await file.size()) === 0) await file.write([Buffer.from('time,measurement,host,field,value\n')])
  for (let handled = 0; handled < options.records;) {
    const records = await consumer.poll(200)
    for (const record of records) {
      await file.write([Buffer.from(csvRows(record.valueText() ?? ''))])
      link.handled(record)
    }
    handled += records.count
    if (records.isEmpty) continue
    await file.sync()
    await consumer.commitSync()
  }
  await file.close()
  await consumer.close()
}

/** `mem,host=a total=1i,free=2i 1700000000000000000` as two rows of time, measurement, host, field, value. */
export function csvRows(line: string): string {
  const [series = '', fields = '', timestamp = ''] = line.split(' ')
  const [measurement, ...tags] = series.split(',')
  const host = tags.find((tag) => tag.startsWith('host='))?.slice('host='.length) ?? ''
  const time = new Date(Number(timestamp.slice(0, -6))).toISOString()
  return fields
    .split(',')
    .map((field) => field.split('='))
    .map(([name, value = '']) => `${time},${measurement},${host},${name},${value.replace(/i$/, '')}\n`)
    .join('')
}

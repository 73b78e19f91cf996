/** `save-metric`: this machine's CPU and memory into a topic, and from there into a .csv. */
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemDisk } from '../../../seams/disk.ts'
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

const INTERVAL_MS = 200
const LINES_A_SAMPLE = 2

export const saveMetric: Experiment = {
  name: 'save-metric',
  summary: "this machine's CPU and memory as InfluxDB lines into a topic, and from there into a .csv",
  async run(lab) {
    const samples = Math.ceil((lab.settings.records ?? 10) / LINES_A_SAMPLE)
    const records = samples * LINES_A_SAMPLE
    const place = { topic: await lab.topic('metrics'), group: lab.group('metrics') }
    const csv = lab.settings.csv ? resolve(lab.settings.csv) : join(tmpdir(), `${place.topic}.csv`)
    const before = (await systemDisk.stat(csv))?.size ?? 0
    const tally = new Tally()
    const saver = lab.child('saver', 'metricSaver', { ...place, csv, records }, tally)
    lab.say(`An agent measures ${samples} times, ${INTERVAL_MS} ms apart; a consumer appends to ${csv}.`)
    await lab.child('agent', 'metricAgent', { topic: place.topic, samples, intervalMs: INTERVAL_MS }).ended()
    await saver.ended()
    lab.say(`\n${csv} has grown by`)
    const rows = (await systemDisk.readFile(csv)).subarray(before).toString().trimEnd()
    for (const row of rows.split('\n')) lab.say(`  ${row}`)
    if (!lab.settings.csv) await systemDisk.remove(csv)
    await lab.conclude('file first, then the commit', records, tally, place)
  },
}

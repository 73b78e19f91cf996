/**
 * How fast the s3 and the elasticsearch sink store records, beside the same bytes sent by hand in the same run:
 *
 *     parts       a file that is ready, uploaded in parts of 5 MiB, one after the other, by the vendor's driver
 *     s3          JSON values that are decoded already, as the runner hands them: encoded as CSV, uploaded, claimed, published, an object each 200,000 records
 *     bulk        bulk requests that are ready and compressed, one after the other
 *     documents   the elasticsearch sink: the same documents
 *
 *     node bench/store-sinks.ts [--rows 400000] [--rounds 5] [--store minio|versitygw] [--search elasticsearch|opensearch]
 *
 * It starts the servers itself. Machines are noisy: the ratio of the same round is the figure that can be compared; the order of the two alternates.
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { parseArgs, promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { systemClock } from '../src/seams/clock.ts'
import { sinks } from '../src/sinks/index.ts'
import { startMinio, startVersityGateway, type StoreServer } from '../test/compat/s3-servers.ts'
import { countOf, put } from '../test/compat/search-reading.ts'
import { type SearchServer, startElasticsearch, startOpenSearch } from '../test/compat/search-servers.ts'
import { type Polled, polls, rowOf, storeAll } from './flights.ts'

const compress = promisify(gzip)
const PART_BYTES = 5 * 1024 * 1024
const columns = ['id', 'at', 'origin', 'delay', 'distance', 'note']

export interface BenchOptions {
  readonly rows: number
  readonly rounds: number
  readonly store: 'minio' | 'versitygw'
  readonly search: 'elasticsearch' | 'opensearch'
  readonly print: (line: string) => void
}

/** Records a second. */
export interface Figures {
  readonly parts: number
  readonly s3: number
  readonly bulk: number
  readonly documents: number
}

export async function benchStoreSinks({ rows, rounds, store, search, print }: BenchOptions): Promise<Figures[]> {
  const releases: (() => Promise<void>)[] = []
  const figures: Figures[] = []
  try {
    const objects = await (store === 'minio' ? startMinio() : startVersityGateway())
    releases.unshift(() => objects.stop())
    const index = await (search === 'opensearch' ? startOpenSearch() : startElasticsearch())
    releases.unshift(() => index.stop())
    const polled = polls(rows)
    const file = Buffer.from(Array.from({ length: rows }, (_, id) => csvOf(id)).join(''))
    const bulks = await bulksOf(rows)
    for (let round = 1; round <= rounds; round++) {
      const isEven = round % 2 === 0
      const pair = async (left: () => Promise<number>, right: () => Promise<number>) => {
        if (!isEven) return [await left(), await right()] as const
        const last = await right()
        return [await left(), last] as const
      }
      const [parts, s3] = await pair(
        () => uploadParts(objects, file, rows, `by-hand-${round}`),
        () => runS3(objects, polled, rows, `sink-${round}`),
      )
      const [bulk, documents] = await pair(
        () => sendBulks(index, bulks, rows, `by-hand-${round}`),
        () => runSearch(index, polled, rows, `sink-${round}`),
      )
      figures.push({ parts, s3, bulk, documents })
      const shown = (perSecond: number) => `${Math.round(perSecond / 1000)} k/s`.padStart(8)
      print(
        `round ${round}  parts ${shown(parts)}  s3 ${shown(s3)}, ratio ${(s3 / parts).toFixed(2)}` +
          `  bulk ${shown(bulk)}  documents ${shown(documents)}, ratio ${(documents / bulk).toFixed(2)}`,
      )
    }
  } finally {
    for (const release of releases) await release()
  }
  return figures
}

function csvOf(id: number): string {
  const { at, origin, delay, distance, note } = rowOf(id)
  return `${[id, at, origin, delay, distance, note.includes(',') ? `"${note}"` : note].join(',')}\n`
}

async function timed(rows: number, run: () => Promise<void>): Promise<number> {
  const began = systemClock.monotonic()
  await run()
  return rows / ((systemClock.monotonic() - began) / 1000)
}

async function uploadParts({ client }: StoreServer, file: Buffer, rows: number, key: string): Promise<number> {
  const target = { Bucket: 'test', Key: key }
  const perSecond = await timed(rows, async () => {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }))
    const parts: object[] = []
    for (let at = 0; at < file.length; at += PART_BYTES) {
      const PartNumber: number = parts.length + 1
      const Body = file.subarray(at, at + PART_BYTES)
      const input = { ...target, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' as const }
      const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(input))
      parts.push({ PartNumber, ETag, ChecksumCRC32 })
    }
    await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } }))
  })
  return perSecond
}

async function runS3(server: StoreServer, polled: readonly Polled[], rows: number, prefix: string): Promise<number> {
  const { client, endpoint, credentials } = server
  const config = { type: 's3', bucket: 'test', prefix, endpoint, ...credentials, columns, 'rotate.records': 200_000 }
  const perSecond = await timed(rows, () => storeAll(sinks.configure(config).create(), polled))
  let found = 0
  const { Contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket: 'test', Prefix: `${prefix}/flights/0/0` }),
  )
  for (const { Key } of Contents) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'test', Key }))
    found += (await Body!.transformToString()).split('\n').length - 1
  }
  if (found !== rows) throw new Error(`the objects hold ${found} of ${rows} records`)
  return perSecond
}

async function bulksOf(rows: number): Promise<((index: string) => Promise<Buffer>)[]> {
  const bodies: string[][] = [[]]
  let bytes = 0
  for (let id = 0; id < rows; id++) {
    const text = `"_id":"cluster.flights.0.${id}"}}\n${JSON.stringify(rowOf(id))}\n`
    bytes += text.length + 30
    if (bytes > PART_BYTES || bodies.at(-1)!.length >= 5000) {
      bodies.push([])
      bytes = 0
    }
    bodies.at(-1)!.push(text)
  }
  return bodies.map((texts) => (index) => {
    const body = texts.map((text) => `{"create":{"_index":"${index}",${text}`).join('')
    return compress(body, { level: constants.Z_BEST_SPEED })
  })
}

async function newIndex({ url }: SearchServer, index: string): Promise<void> {
  await put(url, `/${index}`, { settings: { number_of_shards: 1, number_of_replicas: 0 } })
}

async function sendBulks(
  server: SearchServer,
  bulks: readonly ((index: string) => Promise<Buffer>)[],
  rows: number,
  index: string,
): Promise<number> {
  await newIndex(server, index)
  const bodies = await Promise.all(bulks.map((make) => make(index)))
  const headers = { 'content-type': 'application/x-ndjson', 'content-encoding': 'gzip' }
  const perSecond = await timed(rows, async () => {
    for (const body of bodies) {
      const url = `${server.url}/_bulk?filter_path=errors`
      const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
      if ((await answer.text()) !== '{"errors":false}')
        throw new Error(`a bulk request was not taken: ${answer.status}`)
    }
  })
  await checkCount(server, index, rows)
  return perSecond
}

async function runSearch(
  server: SearchServer,
  polled: readonly Polled[],
  rows: number,
  index: string,
): Promise<number> {
  await newIndex(server, index)
  const config = { type: 'elasticsearch', url: server.url, index }
  const perSecond = await timed(rows, () => storeAll(sinks.configure(config).create(), polled))
  await checkCount(server, index, rows)
  return perSecond
}

async function checkCount({ url }: SearchServer, index: string, rows: number): Promise<void> {
  const found = await countOf(url, index)
  if (found !== rows) throw new Error(`${index} holds ${found} of ${rows} documents`)
  await fetch(`${url}/${index}`, { method: 'DELETE' })
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '400000' },
      rounds: { type: 'string', default: '5' },
      store: { type: 'string', default: 'minio' },
      search: { type: 'string', default: 'elasticsearch' },
    },
  })
  const print = (line: string) => console.log(line)
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
  print(
    `${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, ${values.store}, ${values.search}, commit ${commit}`,
  )
  await benchStoreSinks({
    rows: Number(values.rows),
    rounds: Number(values.rounds),
    store: values.store === 'versitygw' ? 'versitygw' : 'minio',
    search: values.search === 'opensearch' ? 'opensearch' : 'elasticsearch',
    print,
  })
}

/** What the demo produces: real flights where the `vega-datasets` package is installed, else a click log made from a seed. */
import { readFile } from 'node:fs/promises'
import { seededRandom } from '../../seams/random.ts'

export interface DemoRecords {
  readonly topic: string
  /** Fields of the JSON values that are stored. */
  readonly columns: readonly string[]
  /** JSON texts. */
  readonly values: readonly string[]
  /** What they are, for people. */
  readonly source: string
}

const FLIGHT_COUNT = 231_083

/** With a seed, always the click log. More than there are flights begins with the first again. */
export async function demoRecords(count: number | undefined, seed: number | undefined): Promise<DemoRecords> {
  const flights = seed === undefined ? await readFlights() : undefined
  if (!flights) return clickLog(count ?? FLIGHT_COUNT, seed ?? 1)
  const values = Array.from({ length: count ?? flights.length }, (_, index) => flights[index % flights.length]!)
  return {
    topic: 'flights',
    columns: ['time', 'delay', 'distance'],
    values,
    source: 'flights in the USA, from vega-datasets',
  }
}

async function readFlights(): Promise<string[] | undefined> {
  let text: string
  try {
    const entry = import.meta.resolve('vega-datasets')
    text = await readFile(new URL('../data/flights-200k.json', entry), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ENOENT') return undefined
    throw error
  }
  const flights = JSON.parse(text) as { time: number; delay: number; distance: number }[]
  return flights.map(({ time, delay, distance }) => JSON.stringify({ time, delay, distance }))
}

const pages = ['/', '/search', '/cart', '/checkout', '/account', '/help']

function clickLog(count: number, seed: number): DemoRecords {
  const random = seededRandom(seed)
  let time = Date.UTC(2026, 0, 1)
  const values = Array.from({ length: count }, () => {
    time += Math.floor(random.next() * 200)
    const user = `user-${Math.floor(random.next() * 5000)}`
    const page = pages[Math.floor(random.next() ** 2 * pages.length)]!
    return JSON.stringify({ time, user, page, ms: Math.floor(random.next() * 900) })
  })
  return {
    topic: 'click_log',
    columns: ['time', 'user', 'page', 'ms'],
    values,
    source: `clicks, made from seed ${seed}`,
  }
}

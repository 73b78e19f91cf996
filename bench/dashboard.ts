/**
 * How the monitor's page moves while very many groups do: times between frames in Chromium, while it is scrolled and every sample changes every group.
 *
 *     node bench/dashboard.ts [--groups 2000] [--partitions 50] [--samples 6] [--interval 5000]
 *
 * The cluster is simulated and judged in this process; the page is the one that is published, over HTTP and its event stream. A frame that takes longer than
 * 50 ms is one that somebody sees.
 */
import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { startChromium } from '../test/dashboard/chromium.ts'
import { groupName, serveManyGroups } from '../test/dashboard/many-groups.ts'

export interface DashboardBenchOptions {
  readonly groups: number
  readonly partitions: number
  /** While frames are measured. */
  readonly samples: number
  readonly intervalMs: number
  readonly print: (line: string) => void
}

export interface FrameTimes {
  readonly view: string
  readonly frames: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly longest: number
  /** Frames longer than 50 ms, of all the time. */
  readonly slow: number
  /** Processor time of the page's main thread, part of one core: what the machine's other work does not distort. */
  readonly cpuShare: number
  /** Elements in the page. */
  readonly elements: number
}

const SEEN_MS = 50

export async function benchDashboard(options: DashboardBenchOptions): Promise<FrameTimes[]> {
  const { groups, partitions, samples, intervalMs, print } = options
  const many = await serveManyGroups(groups, partitions)
  const browser = await startChromium()
  try {
    const results: FrameTimes[] = []
    for (const [view, query] of [
      ['overview', ''],
      ['group', `?view=group&cluster=local&group=${groupName(1)}`],
    ] as const) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
      await page.goto(`${many.url}/${query}`)
      await page.locator('.rows .row').first().waitFor()
      const cpu = await mainThreadCpu(page)
      const [began, before] = [performance.now(), await cpu()]
      await page.evaluate(measuring)
      for (let sample = 0; sample < samples; sample++) {
        await many.tick()
        await sleep(intervalMs)
      }
      const cpuShare = ((await cpu()) - before) / ((performance.now() - began) / 1000)
      const times = { ...(await frameTimes(page, view)), cpuShare }
      const { frames, p50, p95, p99, longest, slow, elements } = times
      print(
        `${view}: ${frames} frames, p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${longest} ms, ${slow} over ${SEEN_MS} ms; main thread ${Math.round(cpuShare * 100)} % of a core; ${elements} elements`,
      )
      results.push(times)
      await page.close()
    }
    return results
  } finally {
    await browser.close()
    await many.stop()
  }
}

/** Scrolls down and up again, some pixels each frame, and keeps the times. */
const measuring = `
  globalThis.frameTimes = []
  let last = performance.now()
  let step = 30
  requestAnimationFrame(function frame(now) {
    frameTimes.push(now - last)
    last = now
    const bottom = document.documentElement.scrollHeight - innerHeight
    if (scrollY >= bottom) step = -30
    if (scrollY <= 0) step = 30
    scrollBy(0, step)
    requestAnimationFrame(frame)
  })
`

/** Seconds of processor time that the page's main thread has spent on tasks. */
async function mainThreadCpu(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0
  }
}

async function frameTimes(page: Page, view: string): Promise<Omit<FrameTimes, 'cpuShare'>> {
  const times = ((await page.evaluate('frameTimes')) as number[]).slice(2).sort((left, right) => left - right)
  const at = (part: number) =>
    Math.round((times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0) * 10) / 10
  return {
    view,
    frames: times.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    longest: at(1),
    slow: times.filter((time) => time > SEEN_MS).length,
    elements: (await page.evaluate("document.querySelectorAll('*').length")) as number,
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      groups: { type: 'string', default: '2000' },
      partitions: { type: 'string', default: '50' },
      samples: { type: 'string', default: '6' },
      interval: { type: 'string', default: '5000' },
    },
  })
  const [load] = loadavg()
  console.log(`Node ${process.versions.node}, ${cpus().length} x ${cpus()[0]?.model}, load ${load!.toFixed(1)}`)
  await benchDashboard({
    groups: Number(values.groups),
    partitions: Number(values.partitions),
    samples: Number(values.samples),
    intervalMs: Number(values.interval),
    print: console.log,
  })
}

/** A group over time: the history that the monitor has, gone on with by what comes in live. */
import { useMemo } from 'preact/hooks'
import type { GroupHistory } from '../../lag/api-types.ts'
import { groupPath } from '../api.ts'
import { groupKey, type Watched } from '../live-state.ts'
import { type Asked, usePage, useAsk } from '../page.ts'
import { type Series, seriesOf, spanOf } from '../series.ts'

/** The history is asked for again after so long, and when samples were missed: what came in live is finer, but only from when the page was opened. */
const REFRESH_MS = 300_000

export interface OverTime {
  readonly watched: Watched | undefined
  readonly series: Series
  readonly history: Asked<GroupHistory>
}

export function useOverTime(cluster: string, group: string): OverTime {
  const { address, live, settings } = usePage()
  const watched = live.watched.get(groupKey(cluster, group))
  const { range } = address
  const isFixed = 'from' in range
  // A range that goes on is asked for from its beginning, with room for what came since.
  const epoch = isFixed ? 0 : Math.floor(live.now / REFRESH_MS) * REFRESH_MS
  const asked = isFixed ? range : { from: epoch - range.lastMs, to: epoch + REFRESH_MS }
  const isReady = live.connection !== 'loading' && settings?.hasHistory === true
  const path = `${groupPath(cluster, group)}/history?from=${asked.from}&to=${asked.to}`
  const history = useAsk<GroupHistory>(isReady ? path : undefined, live.missedUntil)
  const series = useMemo(
    () =>
      seriesOf(
        history.state === 'had' ? history.value : undefined,
        watched?.points ?? [],
        watched?.detail.marks ?? [],
        spanOf(range, live.now),
      ),
    [history, watched, range, isFixed ? 0 : live.now],
  )
  return { watched, series, history }
}

/** What a reader must know before trusting the rest: a monitor or a cluster that does not answer, rights that are missing. */
import { useEffect, useState } from 'preact/hooks'
import type { ClusterSummary } from '../../lag/api-types.ts'
import { browserNow, every } from '../../seams/browser.ts'
import { usePage } from '../page.ts'

export function Notices() {
  const { live, address, t, formats } = usePage()
  const clusters = [...live.clusters.values()].filter(
    ({ cluster }) => address.cluster === undefined || cluster === address.cluster,
  )
  return (
    <>
      {live.connection === 'lost' && (
        <p class="notice error" role="alert">
          {t('connection.lost', { time: formats.time(live.lostAt ?? null) })}
        </p>
      )}
      {clusters.map((one) => (
        <ClusterNotices key={one.cluster} cluster={one} />
      ))}
    </>
  )
}

function ClusterNotices({ cluster }: { cluster: ClusterSummary }) {
  const { t, formats } = usePage()
  const now = useNow(cluster.state === 'stale')
  const { cluster: name, sampledAt, state, problem, missingRights, groupsLeftOut } = cluster
  return (
    <>
      {state === 'stale' && (
        <div class="notice warning" role="status" data-stale={name}>
          <p>
            <strong>
              {sampledAt === null
                ? t('cluster.neverRead', { cluster: name })
                : t('cluster.stale', {
                    cluster: name,
                    time: formats.time(sampledAt, now),
                    age: formats.duration((now - sampledAt) / 1000),
                  })}
            </strong>
          </p>
          {problem !== null && <p lang="en">{problem}</p>}
        </div>
      )}
      {state === 'starting' && <p class="notice">{t('cluster.starting', { cluster: name })}</p>}
      {state === 'ok' && problem !== null && (
        <p class="notice" lang="en">
          {name}: {problem}
        </p>
      )}
      {missingRights.length > 0 && (
        <div class="notice warning">
          {t('cluster.rights', { cluster: name })}
          <ul lang="en">
            {missingRights.map((right) => (
              <li key={right}>{right}</li>
            ))}
          </ul>
        </div>
      )}
      {groupsLeftOut > 0 && (
        <p class="notice">{t('cluster.leftOut', { cluster: name, count: formats.number(groupsLeftOut) })}</p>
      )}
    </>
  )
}

/** The visitor's clock, moving on while it is looked at. */
export function useNow(isMoving: boolean): number {
  const [now, set] = useState(browserNow)
  useEffect(() => (isMoving ? every(1000, () => set(browserNow())) : undefined), [isMoving])
  return now
}

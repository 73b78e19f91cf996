/** Who is in a group, from where, and what each is assigned. */
import type { GroupDetail } from '../../lag/api-types.ts'
import { usePage } from '../page.ts'

export function Members({ detail }: { detail: GroupDetail }) {
  const { t } = usePage()
  const { memberList } = detail
  return (
    <section class="panel" aria-label={t('group.members')}>
      <h2>{t('group.members')}</h2>
      {memberList.length === 0 ? (
        <p class="quiet">{t('group.noMembers')}</p>
      ) : (
        <div class="scroller" tabIndex={0} role="group" aria-label={t('group.members')}>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">{t('column.client')}</th>
                <th scope="col">{t('column.host')}</th>
                <th scope="col">{t('column.assigned')}</th>
              </tr>
            </thead>
            <tbody>
              {memberList.map(({ memberId, groupInstanceId, clientId, host, assignment }) => (
                <tr key={memberId}>
                  <td title={memberId}>
                    {clientId}
                    {groupInstanceId !== null && <small class="quiet"> {groupInstanceId}</small>}
                  </td>
                  <td>{host}</td>
                  <td>
                    {assignment.length === 0
                      ? '–'
                      : assignment.map(({ topic, partitions }) => (
                          <div key={topic}>
                            {topic} <span class="quiet">{rangesOf(partitions)}</span>
                          </div>
                        ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

/** `0–3, 7`, of rising numbers. */
export function rangesOf(partitions: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const one of partitions) {
    const last = ranges.at(-1)
    if (last && last[1] === one - 1) last[1] = one
    else ranges.push([one, one])
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ')
}

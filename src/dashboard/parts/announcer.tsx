/** Says changes of a status aloud to those who use a screen reader. Nothing is seen of it. */
import { usePage } from '../page.ts'

/** Of one sample; of more than these only how many. */
const MOST_SAID = 3

export function Announcer() {
  const { live, t, formats } = usePage()
  const { changes } = live
  const said = changes
    .slice(0, MOST_SAID)
    .map(({ group, before, status }) =>
      t('status.change', { group, before: t(`status.${before}`), status: t(`status.${status}`) }),
    )
  const others = changes.length - said.length
  if (others > 0) said.push(t('status.otherChanges', { count: formats.number(others) }))
  return (
    <p class="unseen" role="status">
      {said.join('. ')}
    </p>
  )
}

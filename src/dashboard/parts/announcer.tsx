/** Says a change of a status aloud to those who use a screen reader. Nothing is seen of it. */
import { usePage } from '../page.ts'

export function Announcer() {
  const { live, t } = usePage()
  const { change } = live
  return (
    <p class="unseen" role="status">
      {change &&
        t('status.change', {
          group: change.group,
          before: t(`status.${change.before}`),
          status: t(`status.${change.status}`),
        })}
    </p>
  )
}

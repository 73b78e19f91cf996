/** In place of what was asked for: that it is on its way, or why it did not come. */
import { type Asked, usePage } from '../page.ts'

export function AskedProblem({ asked }: { asked: Asked<unknown> }) {
  const { t } = usePage()
  if (asked.state === 'asking') return <p class="quiet">{t('page.loading')}</p>
  if (asked.state === 'failed')
    return (
      <p class="notice warning" role="alert" lang="en">
        {asked.message}
      </p>
    )
  return null
}

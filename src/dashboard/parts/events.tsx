/** What happened to a group in the time that is shown, newest first: the words for the marks in the charts. */
import type { Mark } from '../../lag/api-types.ts'
import { usePage } from '../page.ts'
import { Sentences } from './sentences.tsx'

export function Events({ marks }: { marks: readonly Mark[] }) {
  const { t, formats, live } = usePage()
  return (
    <section class="panel" aria-label={t('group.events')}>
      <h2>{t('group.events')}</h2>
      {marks.length === 0 ? (
        <p class="quiet">{t('group.noEvents')}</p>
      ) : (
        // It scrolls: the keyboard must reach it.
        <ul class="events" tabIndex={0}>
          {marks.toReversed().map(({ at, kind, text, sentences }) => (
            <li key={`${at} ${kind} ${text}`}>
              <time dateTime={new Date(at).toISOString()}>{formats.time(at, live.now)}</time>
              <strong>{t(`mark.${kind}`)}</strong>
              {sentences ? (
                <span>
                  <Sentences all={sentences} />
                </span>
              ) : (
                <span lang="en">{text}</span>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

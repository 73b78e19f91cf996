/** The bar at the top: where one is, whether it is live, colours and language. */
import { useEffect, useState } from 'preact/hooks'
import { overview } from '../address.ts'
import { languages, type Language } from '../messages.ts'
import { linkTo, usePage } from '../page.ts'
import { remember, remembered } from '../preferences.ts'

type Theme = 'auto' | 'light' | 'dark'

export function Header({ onLanguage }: { onLanguage: (language: Language) => void }) {
  const page = usePage()
  const { address, language, t, live } = page
  const isHere = (view: string) => (address.view === view ? 'page' : undefined)
  return (
    <header class="bar">
      <a class="brand" {...linkTo(page, { ...overview, view: 'overview' })}>
        <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <path class="posts" d="M7 8h4v16H7zM21 8h4v16h-4z" />
          <path class="water" d="M12.500 13h7M12.500 18h7M12.500 23h7" />
        </svg>
        Sluice
      </a>
      <nav aria-label={t('page.where')}>
        <a {...linkTo(page, { view: 'overview' })} aria-current={isHere('overview')}>
          {t('page.home')}
        </a>
        <a {...linkTo(page, { view: 'topics', cluster: address.cluster })} aria-current={isHere('topics')}>
          {t('page.topics')}
        </a>
        <a
          {...linkTo(page, { view: 'compare', cluster: address.cluster, group: address.group })}
          aria-current={isHere('compare')}
        >
          {t('page.compare')}
        </a>
      </nav>
      <span class={`connection ${live.connection}`} data-connection={live.connection}>
        <span class="dot" aria-hidden="true" />
        {t(live.connection === 'live' ? 'connection.live' : 'connection.loading')}
      </span>
      <div class="choices">
        <ThemeChoice />
        <select
          aria-label={t('page.language')}
          value={language}
          onChange={({ currentTarget }) => onLanguage(currentTarget.value as Language)}
        >
          {Object.entries(languages).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
      </div>
    </header>
  )
}

function ThemeChoice() {
  const { t } = usePage()
  const [theme, set] = useState<Theme>(() => remembered('theme') ?? 'auto')
  useEffect(() => {
    if (theme === 'auto') document.documentElement.removeAttribute('data-theme')
    else document.documentElement.dataset['theme'] = theme
    remember('theme', theme === 'auto' ? undefined : theme)
    dispatchEvent(new Event('themechange'))
  }, [theme])
  return (
    <select
      aria-label={t('page.theme')}
      value={theme}
      onChange={({ currentTarget }) => set(currentTarget.value as Theme)}
    >
      {(['auto', 'light', 'dark'] as const).map((one) => (
        <option key={one} value={one}>
          {t(`theme.${one}`)}
        </option>
      ))}
    </select>
  )
}

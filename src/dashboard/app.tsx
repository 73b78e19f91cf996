/** The page as a whole: reads the address, listens to what the view of it needs, and draws that view. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { MonitorSettings } from '../lag/api-types.ts'
import { onceAFrame } from '../seams/browser.ts'
import { type Address, readAddress, writeAddress } from './address.ts'
import { formatsFor } from './format.ts'
import { Live, type Scope } from './live.ts'
import { languageFor, type Language, type MessageKey, translator } from './messages.ts'
import { type Page, PageContext, useAsk } from './page.ts'
import { Announcer } from './parts/announcer.tsx'
import { Header } from './parts/header.tsx'
import { Notices } from './parts/notices.tsx'
import { remembered, remember } from './preferences.ts'
import { Later } from './parts/later.tsx'
import { Overview } from './views/overview.tsx'

const live = new Live()

/** Views other than the first are loaded when somebody goes there. */
const views = {
  group: () => import('./views/group.tsx').then(({ Group }) => Group),
  topics: () => import('./views/topics.tsx').then(({ Topics }) => Topics),
  topic: () => import('./views/topic.tsx').then(({ Topic }) => Topic),
  partition: () => import('./views/partition.tsx').then(({ Partition }) => Partition),
  compare: () => import('./views/compare.tsx').then(({ Compare }) => Compare),
} as const

export function App() {
  const [address, setAddress] = useState(() => readAddress(location.search))
  const [language, setLanguage] = useState<Language>(() => remembered('language') ?? languageFor(navigator.languages))
  const [state, setState] = useState(live.state)
  // A sample may bring hundreds of events, one after the other: they are drawn together.
  useEffect(() => live.subscribe(onceAFrame(() => setState(live.state))), [])
  useEffect(() => {
    const moved = () => setAddress(readAddress(location.search))
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }, [])
  // Before the first stream is opened: a page that is out of sight opens none.
  useEffect(() => {
    const look = () => (document.visibilityState === 'hidden' ? live.hide() : live.show())
    look()
    document.addEventListener('visibilitychange', look)
    return () => document.removeEventListener('visibilitychange', look)
  }, [])
  const scopes = scopesOf(address)
  useEffect(() => live.listen(scopes), [JSON.stringify(scopes)])
  const settings = useAsk<MonitorSettings>('api/v1/settings')
  const words = useMemo(() => ({ t: translator(language), formats: formatsFor(localesFor(language)) }), [language])
  const page: Page = {
    address,
    language,
    ...words,
    live: state,
    settings: settings.state === 'had' ? settings.value : undefined,
    go(to, { replace = false } = {}) {
      const query = writeAddress(to)
      if (query === writeAddress(address)) return
      history[replace ? 'replaceState' : 'pushState'](null, '', query)
      setAddress(to)
      if (to.view !== address.view) scrollTo(0, 0)
    },
  }
  useEffect(() => {
    document.documentElement.lang = language
    document.title = titleOf(page)
  }, [language, address])
  return (
    <PageContext.Provider value={page}>
      <a class="skip" href="#content">
        {page.t('page.skip')}
      </a>
      <Header
        onLanguage={(chosen) => {
          remember('language', chosen)
          setLanguage(chosen)
        }}
      />
      <main id="content" tabIndex={-1}>
        <Notices />
        {address.view in views ? (
          <Later key={address.view} load={views[address.view as keyof typeof views]} />
        ) : (
          <Overview />
        )}
      </main>
      <Announcer />
    </PageContext.Provider>
  )
}

function scopesOf({ view, cluster, group, otherCluster, otherGroup }: Address): Scope[] {
  if (view === 'group' || view === 'partition') return [{ cluster, group }]
  if (view === 'topic') return [{ cluster }]
  if (view === 'compare' && group !== undefined && otherGroup !== undefined)
    return [
      { cluster, group },
      { cluster: otherCluster, group: otherGroup },
    ]
  return [{}]
}

/** Numbers follow the reader's locale when it has the page's language, and the language otherwise. */
function localesFor(language: Language): readonly string[] {
  return [...navigator.languages.filter((one) => languageFor([one]) === language && one.startsWith(language)), language]
}

function titleOf({ address, t }: Page): string {
  const { view, group, topic, partition } = address
  const names: Partial<Record<Address['view'], string | undefined>> = {
    group,
    topic,
    partition: `${group} · ${topic} ${partition}`,
    topics: t('page.topics' satisfies MessageKey),
    compare: t('page.compare'),
  }
  return names[view] === undefined ? t('page.title') : `${names[view]} · Sluice`
}

/** A view whose code is loaded when it is first shown. */
import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { usePage } from '../page.ts'

export function Later({ load }: { load: () => Promise<ComponentType> }) {
  const { t } = usePage()
  const [loaded, set] = useState<{ View: ComponentType } | { problem: string }>()
  useEffect(() => {
    load().then(
      (View) => set({ View }),
      (error: Error) => set({ problem: error.message }),
    )
  }, [load])
  if (!loaded) return <p class="quiet">{t('page.loading')}</p>
  if ('problem' in loaded) return <p role="alert">{loaded.problem}</p>
  return <loaded.View />
}

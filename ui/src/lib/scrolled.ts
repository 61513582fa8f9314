// How far lists were scrolled, by the entry of the history, for going back and forward.

const KEPT = 200;

const places = new Map<string, number>(); // the last ones that were scrolled, in this order

function key(list: string): string {
  return `${(history.state as { entry?: string } | null)?.entry ?? ""}\n${list}`;
}

/** Returns how far a list was scrolled where the reader was at this entry before; 0 where it is new. */
export function scrolledTo(list: string): number {
  return places.get(key(list)) ?? 0;
}

export function keepScrolled(list: string, top: number): void {
  const own = key(list);
  places.delete(own);
  places.set(own, top);
  if (places.size > KEPT) places.delete(places.keys().next().value as string);
}

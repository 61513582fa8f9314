// How far lists were scrolled, by the entry of the history, for going back and forward.

const places = new Map<string, number>();

function key(list: string): string {
  return `${(history.state as { entry?: string } | null)?.entry ?? ""}\n${list}`;
}

/** Returns how far a list was scrolled where the reader was at this entry before; 0 where it is new. */
export function scrolledTo(list: string): number {
  return places.get(key(list)) ?? 0;
}

export function keepScrolled(list: string, top: number): void {
  places.set(key(list), top);
}

// What the server told the page about the business: its zone, its country, and the names that
// the config gives to sources, agents and numbers.

export const site = JSON.parse(document.getElementById("site").textContent);

/** The source's name and colour; one that the config no longer has keeps its id as its name. */
export function source(id) {
  const place = site.sources.findIndex((each) => each.id === id);
  if (place < 0) return { id, name: id === "unknown" ? "Unknown" : id, hue: "unknown" };
  return { ...site.sources[place], hue: String(place % 7) };
}

export function agentName(id) {
  return site.agents.find((each) => each.id === id)?.name ?? id;
}

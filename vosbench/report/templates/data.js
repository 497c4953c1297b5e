// Sequences and pictures: out of the page itself, or fetched from `vosbench view`.

/** What lies in the page as element `id`, which may still be arriving: it is whole when another follows. */
async function packed(id) {
  const whole = () => $(id)?.nextElementSibling || document.readyState !== "loading";
  if (!whole()) {
    await new Promise((done) => {
      const arrivals = new MutationObserver(() => { if (whole()) { arrivals.disconnect(); done(); } });
      arrivals.observe(document.body, { childList: true });
      document.addEventListener("DOMContentLoaded", done, { once: true });
    });
  }
  return JSON.parse($(id).textContent);
}

const KEPT_PAGES = 6, KEPT_PICTURES = 40;

/** `key` from `cache`, made by `load` if it is not there; the `limit` used last are kept. */
function recent(cache, key, limit, load) {
  const found = cache.get(key) ?? load();
  cache.delete(key);
  cache.set(key, found);
  if (cache.size > limit) cache.delete(cache.keys().next().value);
  return found;
}

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

const recentPages = new Map();

/** Frames and scores of a sequence, with room for its pictures. */
function sequencePage(number) {
  return recent(recentPages, number, KEPT_PAGES, async () => {
    const page = overview.remote
      ? await (await fetched(`sequence/${number}`)).json()
      : await packed(`sequence-${number}`);
    return { ...page, number, pictures: new Map() };
  });
}

/** The picture at `place` of a page: {image, maps}, the annotation's label map before the runs'. */
function loadPicture(page, place) {
  return recent(page.pictures, place, KEPT_PICTURES, async () => {
    const { number, shown } = page, frame = shown[place];
    const held = overview.remote
      ? { image: `picture/${number}/${frame}`, maps: fetched(`maps/${number}/${frame}`) }
      : await packed(`picture-${number}-${frame}`);
    const image = new Image();
    image.src = held.image;
    const bytes = overview.remote
      ? await (await held.maps).arrayBuffer()
      : Uint8Array.from(atob(held.maps), (c) => c.charCodeAt(0));
    const [maps] = await Promise.all([unpackMaps(bytes, page), image.decode()]);
    return { image, maps };
  });
}

/** Label maps from a zlib stream: which are there, then row by row, map by map, each pixel XORed
 * with the one above it. */
async function unpackMaps(bytes, { size: [height, width] }) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = overview.runs.length + 1;
  const maps = Array.from(raw.subarray(0, count), (there) => (there ? new Uint8Array(width * height) : null));
  const there = maps.filter(Boolean);
  for (let at = count, start = 0; start < width * height; start += width) {
    for (const map of there) {
      map.set(raw.subarray(at, at + width), start);
      if (start) for (let i = start; i < start + width; i++) map[i] ^= map[i - width];
      at += width;
    }
  }
  return maps;
}

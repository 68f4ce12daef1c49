// Chips dragged between the pools with a mouse or pen; a finger taps, so that the page still scrolls.

const START = 6; // pixels until a press becomes a drag

/** Call `drop(concept, on)` when a chip is let go over a pool. */
export function draggable(area, drop) {
  let press = null;
  area.addEventListener("pointerdown", event => {
    const chip = event.target.closest(".chip[data-concept]");
    if (chip && event.pointerType !== "touch" && event.button === 0) press = { chip, x: event.clientX, y: event.clientY, ghost: null };
  });
  addEventListener("pointermove", event => {
    if (!press) return;
    if (!press.ghost && Math.hypot(event.clientX - press.x, event.clientY - press.y) > START) {
      press.ghost = press.chip.cloneNode(true);
      press.ghost.classList.add("ghost");
      press.ghost.removeAttribute("data-key");
      document.body.append(press.ghost);
    }
    if (!press.ghost) return;
    press.ghost.style.left = `${event.clientX + 8}px`;
    press.ghost.style.top = `${event.clientY + 8}px`;
    mark(poolAt(event));
  });
  addEventListener("pointerup", event => {
    const { chip, ghost } = press ?? {};
    press = null;
    if (!ghost) return;
    ghost.remove();
    mark(null);
    const stop = click => click.stopPropagation(); // the click that follows a drag is no switch
    addEventListener("click", stop, { capture: true });
    setTimeout(() => removeEventListener("click", stop, { capture: true }), 0);
    const pool = poolAt(event);
    if (pool) drop(chip.dataset.concept, pool.dataset.on === "1");
  });
  addEventListener("pointercancel", () => {
    press?.ghost?.remove();
    press = null;
    mark(null);
  });

  const poolAt = event => document.elementFromPoint(event.clientX, event.clientY)?.closest(".pool");
  function mark(pool) {
    for (const each of area.querySelectorAll(".pool")) each.classList.toggle("over", each === pool);
  }
}

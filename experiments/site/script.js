// Without this script panels still show, by :target, and runs open by hand.
const target = () => document.getElementById(decodeURIComponent(location.hash.slice(1)));
const openPanel = () => document.querySelector(".panel:target");

// The number or point that a panel explains: the first link to it that can be seen, if any can.
function numberOf(panel) {
  const links = [...document.querySelectorAll(`:is(td, .drawing) a[href="#${panel.id}"]`)];
  return links.find((link) => link.checkVisibility()) ?? links[0];
}

function isInSight(element, bottom) {
  const box = element.getBoundingClientRect();
  return box.top >= 0 && box.bottom <= bottom && box.left >= 0 && box.right <= innerWidth;
}

function reveal() {
  document.querySelectorAll("[aria-current]").forEach((link) => link.removeAttribute("aria-current"));
  const found = target();
  if (found?.matches("details")) {
    found.open = true;
    found.scrollIntoView();
  }
  const number = found?.matches(".panel") && numberOf(found);
  if (!number) return;
  number.closest("details")?.setAttribute("open", "");
  number.setAttribute("aria-current", "true");
  if (!isInSight(number, found.getBoundingClientRect().top)) number.scrollIntoView({ block: "center", inline: "end" });
}

// Closing leaves readers where they are, on the number that they came from.
function close(panel) {
  const [x, y] = [scrollX, scrollY];
  location.hash = panel.querySelector(".close").hash;
  scrollTo(x, y);
  numberOf(panel)?.focus({ preventScroll: true });
}

// What is wider than the page fades at the edge behind which there is more.
const fade = (one) => one.classList.toggle("more", one.scrollWidth - one.clientWidth - one.scrollLeft > 2);
const resized = new ResizeObserver((entries) => entries.forEach((entry) => fade(entry.target)));
for (const one of document.querySelectorAll(".scroll")) {
  one.addEventListener("scroll", () => fade(one), { passive: true });
  resized.observe(one);
}

addEventListener("hashchange", reveal);
addEventListener("click", (event) => {
  const button = event.target.closest?.(".close");
  if (!button) return;
  event.preventDefault();
  close(button.closest(".panel"));
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && openPanel()) close(openPanel());
});
reveal();

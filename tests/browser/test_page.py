"""The web page in a real browser."""

from __future__ import annotations

import shutil
import threading
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from pawsight_serving.security.api_keys import make_key
from tests.photographs import cat_jpeg
from tests.processes import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
REPOSITORY = Path(__file__).parent.parent.parent / "model_repository"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1200,900"),
)
WAIT_S = 30

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="Chromium and its driver are not here"),
]


@contextmanager
def browsing(profile: Path) -> Iterator[Chrome]:
    options = Options()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, Service(str(DRIVER)))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with serving(REPOSITORY) as served, browsing(tmp_path_factory.mktemp("browser")) as browser:
        browser.get(served.http)
        yield browser


@pytest.fixture(scope="module")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "cat.jpg"
    path.write_bytes(cat_jpeg())
    return path


def element(page: Chrome, name: str) -> WebElement:
    return page.find_element(By.ID, name)


def drawing(page: Chrome) -> str:
    """Return where the shown drawing comes from, once it is drawn; empty until then."""
    shown = element(page, "shown")
    drawn = page.execute_script("return arguments[0].naturalWidth > 0", shown)
    working = "working" in (element(page, "drop").get_attribute("class") or "")
    return (shown.get_attribute("src") or "") if drawn and not working else ""


def next_drawing(page: Chrome, before: str) -> str:
    def changed(page: Chrome) -> str:
        now = drawing(page)
        return now if now != before else ""

    return WebDriverWait(page, WAIT_S).until(changed)


def test_a_picture_is_predicted_and_explained(page: Chrome, cat: Path) -> None:
    element(page, "file").send_keys(str(cat))
    next_drawing(page, "")
    WebDriverWait(page, WAIT_S).until(lambda page: element(page, "label").text.lower() == "cat")
    assert "%" in element(page, "bars").text


def test_a_drawing_can_be_saved(page: Chrome) -> None:
    save = element(page, "save")
    assert save.is_displayed()
    assert save.get_attribute("href") == drawing(page)
    assert (save.get_attribute("download") or "").endswith("conv3.png")
    element(page, "toggle").click()
    assert (save.get_attribute("href") or "").startswith("data:image/png;base64,")
    element(page, "toggle").click()


def test_a_drawing_can_be_looked_at_in_its_own_size(page: Chrome) -> None:
    (first,) = page.window_handles
    enlarge = element(page, "enlarge")
    enlarge.click()
    WebDriverWait(page, WAIT_S).until(lambda page: len(page.window_handles) == 2)
    (opened,) = set(page.window_handles) - {first}
    page.switch_to.window(opened)
    WebDriverWait(page, WAIT_S).until(
        lambda page: page.execute_script("return document.images[0]?.naturalWidth > 0")
    )
    page.close()
    page.switch_to.window(first)


def test_the_facts_hold_the_highest_value_of_the_map_in_its_raw_scale(page: Chrome) -> None:
    text = element(page, "facts").text.splitlines()
    assert float(text[text.index("Highest") + 1]) > 0


def test_the_chosen_method_is_named_in_its_box_and_described_below_it(page: Chrome) -> None:
    methods = Select(element(page, "method"))
    assert methods.first_selected_option.text == "Grad-CAM"
    assert "evidence" in element(page, "shows").text


def test_another_layer_gives_another_drawing(page: Chrome) -> None:
    layers = Select(element(page, "layer"))
    names = [option.get_attribute("value") for option in layers.options]
    assert len(names) >= 4
    before = drawing(page)
    layers.select_by_index(0 if layers.options[-1].is_selected() else len(names) - 1)
    assert next_drawing(page, before) != before


def test_activation_maps_can_be_chosen(page: Chrome) -> None:
    before = drawing(page)
    Select(element(page, "method")).select_by_value("activations")
    assert next_drawing(page, before) != before


def test_every_method_that_the_model_offers_draws(page: Chrome) -> None:
    methods = Select(element(page, "method"))
    names = [option.get_attribute("value") or "" for option in methods.options]
    assert {"grad-cam", "activations", "grad-cam++", "saliency", "occlusion"} <= set(names)
    for name in ("grad-cam++", "saliency", "occlusion"):
        before = drawing(page)
        methods.select_by_value(name)
        # An explanation that fails leaves the picture, whose address is a blob's.
        assert next_drawing(page, before).startswith("data:image/png")
        assert element(page, "layers").is_displayed() == (name == "grad-cam++")


def test_what_the_filters_of_a_layer_respond_to_is_beside_it(page: Chrome) -> None:
    before = drawing(page)
    Select(element(page, "model")).select_by_value("cats_dogs_scratch")
    Select(element(page, "method")).select_by_value("grad-cam")
    Select(element(page, "layer")).select_by_value("conv3")
    next_drawing(page, before)

    def shown(page: Chrome) -> bool:
        filters = element(page, "filters")
        return bool(page.execute_script("return arguments[0].naturalWidth > 0", filters))

    WebDriverWait(page, WAIT_S).until(shown)
    assert "conv3" in element(page, "seeker").text
    before = drawing(page)
    Select(element(page, "layer")).select_by_value("all")
    next_drawing(page, before)
    assert not element(page, "filters").is_displayed()
    WebDriverWait(page, WAIT_S).until(lambda page: "every layer" in element(page, "facts").text)
    # Each layer's map has its own size.
    assert "Map" not in element(page, "facts").text


def test_another_model_explains_the_same_class(page: Chrome) -> None:
    before = drawing(page)
    Select(element(page, "target")).select_by_value("dog")
    before = next_drawing(page, before)
    Select(element(page, "model")).select_by_value("cats_dogs_vgg16")
    next_drawing(page, before)
    assert element(page, "target").get_attribute("value") == "dog"
    WebDriverWait(page, WAIT_S).until(lambda page: "dog" in element(page, "facts").text)


def test_the_keyboard_reaches_everything(page: Chrome) -> None:
    page.execute_script("document.activeElement.blur()")
    reached = set()
    for _ in range(12):
        ActionChains(page).send_keys(Keys.TAB).perform()
        reached.add(page.switch_to.active_element.get_attribute("id"))
    assert {"file", "model", "method", "layer"} <= reached


def test_the_page_asked_nobody_else_and_nothing_failed(page: Chrome) -> None:
    entries = page.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry for entry in entries if entry["level"] == "SEVERE"] == []
    origins = page.execute_script(
        "return [...new Set(performance.getEntriesByType('resource')"
        ".map(entry => new URL(entry.name).origin))].filter(o => o !== location.origin "
        "&& o !== 'null')"
    )
    assert origins == []


# What follows makes requests fail, which the browser puts into its log.


def facts(page: Chrome) -> list[str]:
    return [term.text for term in page.find_elements(By.CSS_SELECTOR, "#facts dt")]


def test_of_a_broken_picture_nothing_is_left_but_the_sentence_and_the_request(
    page: Chrome, tmp_path: Path
) -> None:
    assert len(facts(page)) > 1
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    element(page, "file").send_keys(str(tmp_path / "broken.jpg"))
    WebDriverWait(page, WAIT_S).until(
        lambda page: "not a readable picture" in element(page, "said").text
    )
    assert element(page, "label").text == "No answer"
    assert facts(page) == ["Request"]
    assert not element(page, "save").is_displayed()
    assert element(page, "bars").text == ""
    WebDriverWait(page, WAIT_S).until(lambda page: element(page, "hint").is_displayed())
    assert not element(page, "shown").is_displayed()


def test_an_explanation_that_fails_leaves_the_prediction(page: Chrome, cat: Path) -> None:
    late = {"error": "Allow more time.", "code": "DEADLINE_EXCEEDED", "request_id": "late-1"}
    page.execute_script(
        "const [late, real] = [JSON.stringify(arguments[0]), window.fetch];"
        "window.fetch = (path, init) => path.includes(':explain')"
        " ? Promise.resolve(new Response(late, { status: 504 })) : real(path, init);",
        late,
    )
    element(page, "file").send_keys(str(cat))
    WebDriverWait(page, WAIT_S).until(lambda page: "longer than" in element(page, "said").text)
    assert element(page, "said").text.endswith("choose another one.")
    assert element(page, "label").text.lower() == "cat"
    assert "%" in element(page, "bars").text
    assert element(page, "facts").text.split() == ["Request", "late-1"]


def test_the_whole_percentage_stays_on_one_line(page: Chrome) -> None:
    heights = page.execute_script(
        "showPrediction({ label: 'cat', probabilities: { cat: 1, dog: 0 } });"
        "return [...document.querySelectorAll('.bar')].map(bar => bar.offsetHeight)"
    )
    assert heights[0] == heights[1]


def test_a_long_class_name_stays_beside_its_bar(page: Chrome) -> None:
    name = "nova_scotia_duck_tolling_retriever"
    fits = page.execute_script(
        "const name = arguments[0];"
        "showPrediction({ label: name, probabilities: { [name]: 1, cat: 0 } });"
        "return ['label', 'bars'].map(id => document.getElementById(id))"
        ".flatMap(it => [it, ...it.querySelectorAll('span')])"
        ".map(it => it.scrollWidth <= it.offsetWidth)",
        name,
    )
    assert len(fits) == 4
    assert all(fits)


def label_is(page: Chrome, label: str) -> None:
    WebDriverWait(page, WAIT_S).until(lambda page: element(page, "label").text.lower() == label)


def said(page: Chrome, part: str) -> None:
    WebDriverWait(page, WAIT_S).until(lambda page: part in element(page, "said").text)


def reloaded(page: Chrome) -> None:
    """Begin anew, with the browser's own `fetch`."""
    page.refresh()
    WebDriverWait(page, WAIT_S).until(lambda page: Select(element(page, "layer")).options)


DROP = """
const moved = new DataTransfer();
if (arguments.length) {
  for (const encoded of arguments) {
    const bytes = Uint8Array.from(atob(encoded), each => each.charCodeAt(0));
    moved.items.add(new File([bytes], "cat.jpg", { type: "image/jpeg" }));
  }
} else moved.setData("text/plain", "a cat");
return ["dragover", "drop"].map(kind => !document.querySelector("h1").dispatchEvent(
  new DragEvent(kind, { dataTransfer: moved, bubbles: true, cancelable: true })));
"""


def test_a_picture_dropped_beside_its_card_is_taken_and_not_opened_in_place_of_the_page(
    page: Chrome, cat: Path
) -> None:
    reloaded(page)
    assert page.execute_script(DROP, b64encode(cat.read_bytes()).decode()) == [True, True]
    # Once it is drawn, nothing more is said of it.
    next_drawing(page, "")
    label_is(page, "cat")
    assert page.execute_script(DROP) == [True, True]
    said(page, "no file")


def test_of_several_pictures_the_first_is_shown_and_the_others_are_told(
    page: Chrome, cat: Path
) -> None:
    reloaded(page)
    first, other = b64encode(cat.read_bytes()).decode(), b64encode(b"no picture").decode()
    page.execute_script(DROP, first, other, other)
    before = next_drawing(page, "")
    assert element(page, "label").text.lower() == "cat"
    assert "2 others were left out" in element(page, "others").text
    # So it is as long as that picture is shown, and of no other.
    Select(element(page, "target")).select_by_value("dog")
    next_drawing(page, before)
    assert "2 others were left out" in element(page, "others").text
    page.execute_script(DROP, first, other)
    assert "the other was left out" in element(page, "others").text
    page.execute_script(DROP, first)
    assert element(page, "others").text == ""


def test_the_same_file_chosen_again_is_asked_again(page: Chrome, cat: Path) -> None:
    reloaded(page)
    element(page, "file").send_keys(str(cat))
    label_is(page, "cat")
    page.execute_script("document.getElementById('label').textContent = 'before'")
    element(page, "file").send_keys(str(cat))
    label_is(page, "cat")


def test_a_file_that_is_gone_is_not_taken_for_a_server_that_is(
    page: Chrome, cat: Path, tmp_path: Path
) -> None:
    reloaded(page)
    gone = tmp_path / "gone.jpg"
    gone.write_bytes(cat.read_bytes())
    element(page, "file").send_keys(str(gone))
    next_drawing(page, "")
    gone.unlink()
    Select(element(page, "target")).select_by_value("dog")
    said(page, "The file cannot be read")
    assert not element(page, "again").is_displayed()


REFUSING = (
    "const real = window.fetch; window.broken = true;"
    "window.fetch = (path, init) => !window.broken ? real(path, init)"
    " : Promise.resolve(new Response('<html>Bad gateway', { status: 502 }));"
)


def test_what_is_no_answer_of_ours_is_said_so_and_can_be_asked_again(
    page: Chrome, cat: Path
) -> None:
    reloaded(page)
    page.execute_script(REFUSING)
    element(page, "file").send_keys(str(cat))
    said(page, "not Pawsight")
    page.execute_script("window.broken = false")
    element(page, "again").click()
    label_is(page, "cat")
    assert not element(page, "again").is_displayed()
    assert page.switch_to.active_element == element(page, "said")


FROZEN = (
    "const timeout = AbortSignal.timeout.bind(AbortSignal);"
    "AbortSignal.timeout = () => timeout(200);"
    "window.fetch = (path, { signal }) => new Promise((answer, fail) =>"
    " signal.addEventListener('abort', () => fail(signal.reason)));"
)


def test_a_server_that_never_answers_is_told_as_one_that_is_gone(page: Chrome, cat: Path) -> None:
    reloaded(page)
    page.execute_script(FROZEN)
    element(page, "file").send_keys(str(cat))
    said(page, "The server cannot be reached")
    assert element(page, "again").is_displayed()


def test_a_page_that_found_no_models_asks_for_them_once_it_has_a_picture(
    page: Chrome, cat: Path
) -> None:
    reloaded(page)
    page.execute_script(f"state.models = []; {REFUSING}")
    element(page, "file").send_keys(str(cat))
    label_is(page, "no answer")
    page.execute_script("window.broken = false")
    element(page, "file").send_keys(str(cat))
    label_is(page, "cat")


# Once the page has been answered, the same is asked again: then the page has read its answer.
LATE_FILTERS = """
const real = window.fetch;
window.fetch = (path, init) => !path.includes("/filters/") ? real(path, init)
  : new Promise(answer => {
    window.answer = () => real(path).then(answer)
      .then(() => real(path)).then(again => again.blob());
  });
"""


def test_filters_that_come_late_are_not_shown_beside_a_method_that_has_no_layer(
    page: Chrome,
) -> None:
    reloaded(page)
    page.execute_script(LATE_FILTERS)
    Select(element(page, "layer")).select_by_value("block4_conv1")
    Select(element(page, "method")).select_by_value("saliency")
    assert not element(page, "seeks").is_displayed()
    page.execute_async_script("const done = arguments[0]; window.answer().then(() => done());")
    assert not element(page, "seeks").is_displayed()


class BelowAPath(BaseHTTPRequestHandler):
    """A proxy that serves a gateway below `/paws`, and has nothing else."""

    gateway: str

    def do_GET(self) -> None:
        below = self.path.removeprefix("/paws")
        if below == self.path:
            self.send_error(404)
            return
        answer = httpx.get(self.gateway + below)
        self.send_response(answer.status_code)
        for name in ("content-type", "content-security-policy"):
            self.send_header(name, answer.headers.get(name, ""))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxied(page: Chrome, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(BelowAPath, "gateway", page.current_url.rstrip("/"), raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), BelowAPath) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        yield f"http://127.0.0.1:{proxy.server_port}/paws/"
        proxy.shutdown()


def test_the_documentation_works_below_a_path_of_a_proxy(page: Chrome, proxied: str) -> None:
    page.get(f"{proxied}docs")

    def click(css: str) -> None:
        WebDriverWait(page, WAIT_S).until(
            lambda page: page.find_elements(By.CSS_SELECTOR, f"[id$=-alive] {css}")
        )[0].click()

    click(".opblock-summary-control")
    click(".try-out__btn")
    click(".execute")
    WebDriverWait(page, WAIT_S).until(
        lambda page: page.find_elements(By.CSS_SELECTOR, ".live-responses-table")
    )
    asked = page.find_element(By.CSS_SELECTOR, ".request-url").text
    assert asked.strip().endswith(f"{proxied}healthz")
    assert "alive" in page.find_element(By.CSS_SELECTOR, ".live-responses-table").text


def test_where_keys_are_set_the_page_asks_for_one(tmp_path: Path, cat: Path) -> None:
    key, line = make_key("alice")
    (tmp_path / "keys").write_text(line)
    with (
        serving(REPOSITORY, "--api-keys", tmp_path / "keys") as served,
        browsing(tmp_path / "browser") as page,
    ):
        page.get(served.http)
        WebDriverWait(page, WAIT_S).until(lambda page: element(page, "key").is_displayed())
        said(page, "Type your key")
        element(page, "file").send_keys(str(cat))
        label_is(page, "no answer")
        element(page, "key").send_keys("wrong", Keys.ENTER)
        WebDriverWait(page, WAIT_S).until(lambda page: "API key" in element(page, "said").text)
        element(page, "key").clear()
        element(page, "key").send_keys(key, Keys.ENTER)
        WebDriverWait(page, WAIT_S).until(lambda page: not element(page, "key").is_displayed())
        # The picture has waited for the key.
        label_is(page, "cat")
        element(page, "file").send_keys(str(cat))
        next_drawing(page, "")

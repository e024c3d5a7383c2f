#!/usr/bin/env python3
"""A person sets everything up against mock-twitch, with a real browser.

Wants selenium, chromium and chromedriver, and the built binaries' directory as its argument:
    tests/browser/consent.py target/debug
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE = 60  # seconds, for anything that is waited for

binaries = sys.argv[1] if len(sys.argv) > 1 else "target/debug"
running = []


def start(name, *arguments, **environment):
    """Starts one of our programs; its standard output can be read line by line."""
    program = subprocess.Popen(
        [os.path.join(binaries, name), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    running.append(program)
    return program


def read_until(program, pattern):
    """What the program says, up to the line that matches, and the match."""
    said = ""
    for line in program.stdout:
        said += line
        print("    " + line, end="")
        if match := re.search(pattern, line):
            return said, match
    sys.exit(f"{program.args[0]} ended without saying {pattern}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_until(what, is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            sys.exit(f"never happened: {what}")
        time.sleep(0.1)


def browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(flag)
    return webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))


def walk(data_dir, chromium):
    port, consent_port = free_port(), free_port()
    redirect = f"http://localhost:{consent_port}/auth"
    mock = start(
        "mock-twitch",
        "--port=0",
        f"--callback=http://127.0.0.1:{port}/callback",
        f"--redirect-url={redirect}",
    )
    said, _ = read_until(mock, r"TWITCH_WEBHOOK_CALLBACK_URL=")
    twitch = dict(re.findall(r"export (\w+)=(\S+)", said))
    mock_page = re.search(r"is at (\S+)", said)[1]
    settings = {**twitch, "SHOWTIME_DATA_DIR": data_dir, "LISTEN_PORT": str(port)}

    _, banner = read_until(start("server", **settings), r"#token=(\S+)")
    token = banner[1]
    init = start("init", "--no-browser", f"--port={consent_port}", **settings)
    _, consent = read_until(init, r"http://\S+/authorize\?\S+")

    chromium.get(consent[0])
    assert "Grant access?" in chromium.page_source
    chromium.find_element(By.ID, "consent").click()
    WebDriverWait(chromium, PATIENCE).until(lambda page: page.current_url.startswith(redirect))
    print("    the browser shows:", chromium.find_element(By.TAG_NAME, "body").text.replace("\n", " / "))

    for line in init.stdout:
        print("    " + line, end="")
    if init.wait(PATIENCE) != 0:
        sys.exit(f"init ended with {init.returncode}")
    server = f"http://127.0.0.1:{port}"
    wait_until("/status says pass", lambda: get(f"{server}/status", token)["verdict"] == "pass")

    # And then it works: one button on the fake Twitch, and the channel is live.
    chromium.get(mock_page)
    channel = Select(WebDriverWait(chromium, PATIENCE).until(lambda page: page.find_element(By.ID, "channel")))
    WebDriverWait(chromium, PATIENCE).until(lambda _: channel.options)
    chromium.find_element(By.CSS_SELECTOR, '[data-do="live"]').click()
    login = twitch["TWITCH_CHANNEL_NAME"]
    wait_until("the channel is live", lambda: any(
        it["login"] == login and it["is_live"] for it in get(f"{server}/channels", token)["data"]
    ))
    print("    the channel is live")


with tempfile.TemporaryDirectory() as scratch:
    os.chmod(scratch, 0o711)  # Postgres steps down to another user if we are root
    page = browser(os.path.join(scratch, "profile"))
    try:
        walk(os.path.join(scratch, "data"), page)
    finally:
        page.quit()
        for program in reversed(running):
            if program.poll() is None:
                program.send_signal(signal.SIGTERM)
                program.wait(PATIENCE)

"""Debian's Prometheus, scraping one target every second, asked through its own HTTP API."""
import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

ADDED = ("__name__", "instance", "job")  # labels that Prometheus adds, and the name
PATIENCE = 30  # seconds: nothing here comes near


def get(url):
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return answer.read()


class Prometheus:
    """folder   for its configuration, its data and its log
    target   ADDRESS:PORT of what it scrapes
    rules    files of rules, evaluated every second
    port     that it listens on, on loopback
    scrape   more of how it scrapes: {"scheme": "https"}
    enter    words before the command, where it is to run somewhere else; http(URL) then asks there"""

    def __init__(self, folder, target, *, rules=(), port=9090, scrape={}, enter=(), http=get):
        self.base = f"http://127.0.0.1:{port}/api/v1"
        self.http = http
        self.folder = Path(folder)
        (self.folder / "prometheus.yml").write_text(json.dumps({  # JSON is YAML
            "global": {"evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "nest-init", "scrape_interval": "1s", "scrape_timeout": "1s",
                                "static_configs": [{"targets": [target]}], **scrape}]}))
        self.output = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [*enter, "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output)

    def api(self, path, **query):
        return json.loads(self.http(f"{self.base}/{path}?{urllib.parse.urlencode(query)}"))["data"]

    def query(self, expression):
        """[(labels, value)], the labels without those that Prometheus adds."""
        return [({name: text for name, text in row["metric"].items() if name not in ADDED}, float(row["value"][1]))
                for row in self.api("query", query=expression)["result"]]

    def log(self):
        return (self.folder / "log").read_text()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.output.close()

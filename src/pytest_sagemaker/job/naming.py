"""What data sets and samples are called in a record: the same on every rank. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from pytest_sagemaker.job.record import Reads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_sagemaker.job.evidence import Dataset, Evidence, RawReads, Sample


class Names:
    """Names for what all ranks of a job read.

    `MNIST[60]` and `#12` where an index means the same sample on every rank. Data sets of one type and size
    that hold different things are numbered. What goes by content has one name however it was cut before it
    was wrapped, so that what two ranks share can be seen; it carries its size where there is only one.
    """

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        used = [
            dict.fromkeys(reads.dataset for reads in (*seen.training, *seen.evaluation)) for seen in evidence
        ]
        holders = Counter(dataset for datasets in used for dataset in datasets)
        self._by_content = {
            dataset
            for dataset, ranks in holders.items()
            if dataset.by == "content" or (dataset.by == "rows" and ranks < len(used))
        }
        self._names = self._named(holders)

    def reads(self, raw: RawReads, rows: Mapping[Dataset, Mapping[int, int]]) -> Reads:
        """One rank's reads, named; `rows` is what it told of the content of tensors in memory."""
        dataset, content = raw.dataset, raw.dataset in self._by_content
        known = rows.get(dataset, {})

        def name(sample: Sample) -> str:
            if isinstance(sample, str):
                return sample
            if content and (known or dataset.by == "content"):
                return f"{known.get(sample, sample):08x}"
            return f"#{sample}"

        return Reads(
            dataset=self._names[dataset],
            size=0 if content else dataset.size,
            epochs=tuple(tuple(map(name, epoch)) for epoch in raw.epochs),
            padding=raw.loader.padding,
            shuffles=raw.loader.shuffles,
            by="content" if content else "index",
            covers=0 if content else raw.loader.covers,
            whole=raw.whole,
        )

    def _named(self, datasets: Iterable[Dataset]) -> dict[Dataset, str]:
        names, taken = {}, Counter[str]()
        sizes: dict[str, set[int]] = defaultdict(set)
        for dataset in self._by_content:
            sizes[dataset.kind].add(dataset.size)
        for dataset in datasets:
            content = dataset in self._by_content
            sized = dataset.size and not (content and len(sizes[dataset.kind]) > 1)
            name = f"{dataset.kind}[{dataset.size}]" if sized else dataset.kind
            taken[name] += 1
            names[dataset] = f"{name} ({taken[name]})" if taken[name] > 1 and not content else name
        return names

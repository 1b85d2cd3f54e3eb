"""The chunks whose vectors are nearest to a question's: counted out with NumPy, by FAISS, or by Qdrant.

N chunks, Q questions, D numbers in a vector. Vectors have unit length, so that the inner product is the cosine.
"""

from typing import Any, Literal, Protocol

import numpy as np

from linnet.core.errors import BadInput, needs_extra

Engine = Literal["faiss", "numpy", "qdrant"]
MORE = 16  # neighbours asked for beyond those wanted: which of equal ones an engine names is its own affair
AT_ONCE = 1_000  # vectors sent to Qdrant in one request


class Nearest(Protocol):
    """Names candidates; which of them is nearer is then computed here, the same for every engine."""

    def candidates(self, questions: np.ndarray, count: int) -> np.ndarray:
        """Return the numbers int64 [Q, count] of the nearest chunks, in any order."""
        ...


def nearest(engine: Nearest, vectors: np.ndarray, question: np.ndarray, most: int) -> list[tuple[int, float]]:
    """Return (chunk, cosine) of the `most` nearest of `vectors` [N, D] to a question [D], nearest first.

    Cosines are those of the exact product in float64; of equal ones the earlier chunk comes first.
    """
    count = min(len(vectors), most + MORE)
    if not count:
        return []
    near = np.unique(engine.candidates(question[None], count)[0])
    cosines = vectors[near].astype(np.float64) @ question.astype(np.float64)
    order = np.lexsort((near, -np.round(cosines, 9)))[:most]
    return [(int(near[place]), float(cosines[place])) for place in order]


def engine_of(name: Engine, vectors: np.ndarray, url: str = "", collection: str = "") -> Nearest:
    """Return an engine that holds `vectors` [N, D]; raises BadInput naming the extra of one that is not installed.

    `url` is that of a Qdrant server, where the vectors are a `collection`; without one Qdrant works in our memory.
    """
    if name == "numpy":
        return Exact(vectors)
    return Faiss(vectors) if name == "faiss" else Qdrant(vectors, url, collection)


class Exact:
    """All cosines, by one product."""

    def __init__(self, vectors: np.ndarray):
        self._vectors = vectors

    def candidates(self, questions: np.ndarray, count: int) -> np.ndarray:
        """Return the nearest `count` of all."""
        scores = questions @ self._vectors.T
        return np.argpartition(-scores, min(count, scores.shape[1] - 1), axis=1)[:, :count].astype(np.int64)


class Faiss:
    """FAISS's exact index of inner products (IndexFlatIP, Johnson et al. 2017)."""

    def __init__(self, vectors: np.ndarray):
        try:
            import faiss
        except ImportError:
            raise needs_extra("faiss-cpu", "rag", "--engine faiss") from None
        self._index: Any = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def candidates(self, questions: np.ndarray, count: int) -> np.ndarray:
        """Return the nearest `count` of all."""
        return self._index.search(np.ascontiguousarray(questions, dtype=np.float32), count)[1].astype(np.int64)


class Qdrant:
    """A collection of Qdrant: of a server by its URL, which keeps it under a name of its content, or in our memory.

    The client's own files are not used: it reads them by pickle, which would run whatever a foreign index folder says.
    """

    def __init__(self, vectors: np.ndarray, url: str = "", collection: str = ""):
        try:
            from qdrant_client import QdrantClient, models  # pyrefly: ignore[missing-import]
        except ImportError:
            raise needs_extra("qdrant-client", "qdrant", "--engine qdrant") from None
        self._collection = collection or "linnet"
        try:
            self._client: Any = QdrantClient(url=url) if url else QdrantClient(":memory:")
            self._exact = models.SearchParams(exact=True) if url else None  # in memory it is exact anyhow
            if self._kept() != len(vectors):
                self._fill(vectors, models)
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(f"--qdrant-url {url}: no Qdrant answers there ({_first_line(error)})") from None
        except Exception as error:  # the client's own errors have no common base
            if not type(error).__module__.startswith("qdrant_client"):
                raise
            raise BadInput(f"--qdrant-url {url}: Qdrant refuses ({_first_line(error)})") from None

    def _kept(self) -> int:
        """Return how many vectors the collection holds already."""
        if not self._client.collection_exists(self._collection):
            return 0
        return int(self._client.count(self._collection, exact=True).count)

    def _fill(self, vectors: np.ndarray, models: Any) -> None:
        if self._client.collection_exists(self._collection):  # left half filled
            self._client.delete_collection(self._collection)
        size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.COSINE)
        self._client.create_collection(self._collection, vectors_config=size)
        for first in range(0, len(vectors), AT_ONCE):
            part = vectors[first : first + AT_ONCE]
            numbers = list(range(first, first + len(part)))
            self._client.upsert(self._collection, models.Batch(ids=numbers, vectors=part.tolist()), wait=True)

    def candidates(self, questions: np.ndarray, count: int) -> np.ndarray:
        """Return the nearest `count` of all, by exact search."""
        found = [
            self._client.query_points(
                self._collection, query=question.tolist(), limit=count, search_params=self._exact, with_payload=False
            ).points
            for question in questions
        ]
        return np.array([[point.id for point in points] for points in found], dtype=np.int64)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

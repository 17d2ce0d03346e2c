"""Every method against its published formula on whole arrays, and what must be true of it whatever the images."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.optimize import lsq_linear

from rsfuse.geometry.sharpening.methods import METHODS, DetailInjection, RatioInjection, fit
from rsfuse.geometry.sharpening.moments import Moments, PairMoments
from rsfuse.geometry.sharpening.placement import Placement

GAINS, PAN_GAIN = (0.34, 0.32, 0.30, 0.22), 0.15
SUBSTITUTION, ANALYSIS = ("gs", "gsa"), ("mtf-glp", "mtf-glp-fs")


@dataclass(frozen=True)
class Pair:
    """All that a method may want to know: bands and P on the fine grid (.., N), and on the coarse one (.., n)."""

    exp: np.ndarray
    pan: np.ndarray
    low: np.ndarray
    ms: np.ndarray
    seen: np.ndarray
    """P as the mean multispectral sensor sees it."""
    own: np.ndarray
    """P as its own sensor would."""
    degraded: np.ndarray

    @classmethod
    def of(cls, ms, pan, gains=GAINS):
        placement = Placement.by_area(4, ms.shape[1:])
        enlarging, (shape, coarse) = placement.enlarging(), (pan.shape[1:], ms.shape[1:])
        low = [enlarging.whole(placement.reducing(gain).whole(pan, coarse), shape) for gain in gains]
        seen, own = (placement.reducing(gain).whole(pan, coarse) for gain in (np.mean(gains), PAN_GAIN))
        degraded = [placement.degrading(gain).whole(band[None], coarse) for gain, band in zip(gains, ms, strict=True)]
        images = enlarging.whole(ms, shape), pan, np.concatenate(low), ms, seen, own, np.concatenate(degraded)
        return cls(*(image.reshape(len(image), -1) for image in images))

    @property
    def moments(self):
        fine = Moments.of(np.concatenate([self.exp, self.pan, self.low]))
        coarse = Moments.of(np.concatenate([self.ms, self.seen, self.own, self.degraded]))
        return PairMoments(len(self.ms), fine, coarse, (0, 2047))

    def sharp(self, method):
        return fit(method, self.moments)(self.exp.copy(), self.pan.copy(), self.low.copy())


def images(bands=4, seed=0):
    """Fields of all sizes, alike but not the same in every band: (B, 28, 24), and (1, 112, 96)."""
    chance = np.random.default_rng(seed)
    common, *own = (
        sum(gaussian_filter(chance.normal(0, size, (112, 96)), size) for size in (1, 3, 10)) for _ in range(bands + 1)
    )
    truth = np.array([1500 + 100 * band + 300 * (1 + band / 5) * common + 60 * each for band, each in enumerate(own)])
    pan = 80 + np.linspace(0.1, 0.4, bands) @ truth.reshape(bands, -1)
    ms = truth.reshape(bands, 28, 4, 24, 4).mean((2, 4))
    return ms.astype(np.float32), pan.reshape(1, 112, 96).astype(np.float32)


MS, PAN = images()
PAIR = Pair.of(MS, PAN)


def covariance(one, other):
    return ((one - one.mean()) * (other - other.mean())).mean()


def as_published(method, pair):
    exp, pan, low, ms, seen, own, degraded = (
        getattr(pair, name).astype(np.float64) for name in ("exp", "pan", "low", "ms", "seen", "own", "degraded")
    )
    pan, sharp = pan[0], np.empty_like(exp)
    if method in ("brovey", "gs"):
        intensity = exp.mean(0)
        matched = (pan - pan.mean()) * intensity.std() / np.sqrt(low.var(1).mean()) + intensity.mean()
        if method == "brovey":
            return exp * matched / intensity
        weighed = intensity
    if method == "gsa":
        by = np.linalg.lstsq(np.vstack([ms, np.ones(ms.shape[1])]).T, seen[0], rcond=None)[0]
        weighed = by[:-1] @ exp
        intensity, matched = weighed - weighed.mean(), pan - pan.mean()
    for band, each in enumerate(exp):
        if method in SUBSTITUTION:
            gain = covariance(weighed, each) / weighed.var()
            sharp[band] = each + gain * (matched - intensity)
        elif method == "mtf-glp":
            sharp[band] = each + each.std() / low[band].std() * (pan - low[band])
        elif method == "mtf-glp-fs":
            sharp[band] = each + covariance(each, pan) / covariance(low[band], pan) * (pan - low[band])
        elif method == "bdsd-pc":
            count = len(ms)
            bounds = [-np.inf] * count + [0], [0] * count + [np.inf]
            explaining = np.vstack([degraded, own]).T
            found = lsq_linear(explaining, ms[band] - degraded[band], bounds, method="bvls", tol=1e-14).x
            sharp[band] = each + found @ np.vstack([exp, pan])
        else:
            sharp[band] = each
    return sharp


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_method_is_its_published_formula(method, seed):
    pair = Pair.of(*images(seed=seed))
    np.testing.assert_allclose(pair.sharp(method), as_published(method, pair), atol=0.05)
    if method != "exp":
        assert np.abs(pair.sharp(method) - pair.exp).max() > 20  # a method that adds nothing would prove nothing


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bands", [1, 8])
def test_any_number_of_bands_will_do(method, bands):
    pair = Pair.of(*images(bands), gains=(0.3,) * bands)
    np.testing.assert_allclose(pair.sharp(method), as_published(method, pair), atol=0.2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("factor", [10, 1e-4])
def test_numbers_of_another_scale_are_sharpened_alike(method, factor):
    scaled = Pair.of((MS * factor).astype(np.float32), (PAN * factor).astype(np.float32)).sharp(method)
    np.testing.assert_allclose(scaled / factor, PAIR.sharp(method), atol=0.1)


@pytest.mark.parametrize("method", ["brovey", "gs", "gsa", "mtf-glp", "mtf-glp-fs"])
def test_tiny_numbers_are_sharpened_alike(method):
    scaled = Pair.of((MS * 1e-8).astype(np.float32), (PAN * 1e-8).astype(np.float32)).sharp(method)
    np.testing.assert_allclose(scaled / 1e-8, PAIR.sharp(method), atol=0.5)


@pytest.mark.parametrize("method", ["exp", "brovey", "gs", "gsa", "mtf-glp", "mtf-glp-fs"])
def test_the_level_and_scale_of_the_panchromatic_image_do_not_matter(method):
    other = Pair.of(MS, (0.5 * PAN + 300).astype(np.float32))
    np.testing.assert_allclose(other.sharp(method), PAIR.sharp(method), atol=0.1)


@pytest.mark.parametrize("method", ["exp", "gs", "gsa", "mtf-glp", "mtf-glp-fs"])
def test_a_constant_on_all_bands_stays_a_constant(method):
    np.testing.assert_allclose(Pair.of(MS + 200, PAN + 200).sharp(method), PAIR.sharp(method) + 200, atol=0.1)


@pytest.mark.parametrize("method", METHODS)
def test_bands_in_another_order_are_sharpened_alike(method):
    order = [2, 0, 3, 1]
    other = Pair.of(MS[order], PAN, gains=tuple(GAINS[band] for band in order))
    np.testing.assert_allclose(other.sharp(method), PAIR.sharp(method)[order], atol=0.1)


@pytest.mark.parametrize("method", ["exp", "gsa", "mtf-glp", "mtf-glp-fs"])
def test_a_flat_panchromatic_image_adds_nothing(method):
    for level in (0, 300, 777.7, 5000.3, 60_000):
        flat = Pair.of(MS, np.full_like(PAN, level))
        np.testing.assert_allclose(flat.sharp(method), flat.exp, atol=0.05)


def test_where_the_bands_make_up_the_panchromatic_image_gsa_adds_nothing():
    weights = np.array([[0.1, 0.2, 0.3, 0.4]], np.float32)
    pan, seen = (weights @ image + 55 for image in (PAIR.exp, PAIR.ms))
    pair = Pair(PAIR.exp, pan, PAIR.low, PAIR.ms, seen, PAIR.own, PAIR.degraded)
    np.testing.assert_allclose(pair.sharp("gsa"), pair.exp, atol=0.02)


def test_gsa_finds_again_a_band_that_the_panchromatic_image_shows():
    ms = Placement.by_area(4, (28, 24)).reducing(0.3).whole(PAN, (28, 24))
    pair, truth = Pair.of(ms, 0.7 * PAN + 90, gains=(0.3,)), PAN.reshape(1, -1)
    assert np.abs(pair.exp - truth).max() > 50
    np.testing.assert_allclose(pair.sharp("gsa") - pair.exp.mean(), truth - truth.mean(), atol=0.1)


def test_on_average_no_method_but_brovey_and_bdsd_changes_a_band():
    for method in ("exp", *SUBSTITUTION):
        np.testing.assert_allclose(PAIR.sharp(method).mean(1), PAIR.exp.mean(1), rtol=1e-5)


def test_brovey_keeps_the_proportions_of_bands_and_leaves_what_is_not_above_0():
    sharp = PAIR.sharp("brovey")
    np.testing.assert_allclose(sharp / sharp.sum(0), PAIR.exp / PAIR.exp.sum(0), rtol=1e-4)
    exp, pan = np.array([[-3.0, 0, 2], [1, 0, 2]], np.float32), np.full((1, 3), 6, np.float32)
    np.testing.assert_allclose(RatioInjection(2.0, 4.0)(exp, pan), [[-3, 0, 16], [1, 0, 16]])


def test_bdsd_never_takes_the_panchromatic_image_away():
    inverse = Pair.of(MS, PAN.max() + PAN.min() - PAN)
    np.testing.assert_allclose(inverse.sharp("bdsd-pc"), as_published("bdsd-pc", inverse), atol=0.05)


def test_what_cannot_be_fitted_is_refused():
    nothing = PairMoments(1, Moments.of(np.zeros((3, 0))), Moments.of(np.zeros((4, 5))), (0, 0))
    with pytest.raises(ValueError, match="no pixel"):
        fit("gsa", nothing)
    with pytest.raises(ValueError, match="no method 'pca'"):
        fit("pca", PAIR.moments)
    with pytest.raises(ValueError, match="low-passed"):
        DetailInjection(np.ones(4))(PAIR.exp, PAIR.pan)

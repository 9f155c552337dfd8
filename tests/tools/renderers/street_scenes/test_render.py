"""The renderer of street scenes, against plain geometry."""

from __future__ import annotations

import numpy as np
import pytest
from renderers.street_scenes.camera import Camera
from renderers.street_scenes.depth_buffer import DepthBuffer
from renderers.street_scenes.ground import KERB, PAVEMENT, ROAD, draw_ground
from renderers.street_scenes.layout import draw_contents
from renderers.street_scenes.light import Light
from renderers.street_scenes.materials import MATERIALS
from renderers.street_scenes.shading import shade
from renderers.street_scenes.solid import FRONT, RIGHT, Solid, slopes
from renderers.street_scenes.street import Street

CAMERA = Camera(32, 64, (0.4, 1.4, 0.0), pitch=0.03, yaw=-0.05)
NOISE = np.random.default_rng(0).random((128, 128), dtype=np.float32)


def solid(**options) -> Solid:
    common = dict(label=26, material='plain', color=(0.5, 0.5, 0.5), origin=(0.5, 0.2, 9), yaw=0.6)
    return Solid(**common | dict(lower=(-1, 0, -2), upper=(1, 1.5, 2)) | options)


def inside(item: Solid, points: np.ndarray) -> np.ndarray:
    """Whether points of shape (..., 3) are inside a solid, by its definition."""
    own = (points - np.array(item.origin)) @ item.rotation
    lower, upper = np.array(item.lower), np.array(item.upper)
    if item.round:
        return (((own - (lower + upper) / 2) / (upper - lower) * 2) ** 2).sum(-1) <= 1
    in_box = ((own >= lower) & (own <= upper)).all(-1)
    return in_box & (own @ item.cuts[:, :3].T <= item.cuts[:, 3]).all(-1)


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(cuts=slopes((2, 2, 1, 1), (1, 1.8, 0.7, 0.7), 0, 1.5)),
        dict(round=True),
        dict(yaw=-2.0, origin=(-2, 0, 7)),
    ],
)
def test_rays_meet_a_solid_where_they_first_get_inside(options):
    item = solid(**options)
    rays = CAMERA.rays()[:, ::4, ::4].reshape(3, -1)
    eye = np.array(CAMERA.position)
    chosen, depth, _ = item.intersect(eye, rays, np.full(rays.shape[1], np.inf))
    steps = np.linspace(0, 20, 4001)
    marched = inside(item, eye + steps[:, None, None] * rays.T)
    expected = np.where(marched.any(0), steps[marched.argmax(0)], np.inf)
    found = np.full(rays.shape[1], np.inf)
    found[chosen] = depth
    assert (found < np.inf).sum() > 10
    both = (found < np.inf) & (expected < np.inf)
    # Rays that only graze an edge may be stepped over.
    assert ((found < np.inf) & ~both).sum() <= 2 and ((expected < np.inf) & ~both).sum() == 0
    np.testing.assert_allclose(found[both], expected[both], atol=0.006)


def test_rays_enter_through_the_side_that_faces_them():
    eye, rays = np.array([5.0, 0.5, 0.0]), np.array([[0.0, -1.0], [0.0, 0.0], [1.0, 0.0]], np.float32)
    item = solid(origin=(5, 0, 9), yaw=np.pi)
    assert item.intersect(eye, rays, np.full(2, np.inf))[2].tolist() == [FRONT]
    item = solid(origin=(0, 0, 0), yaw=0.0)
    chosen, depth, side = item.intersect(eye, rays, np.full(2, np.inf))
    assert (chosen.tolist(), depth.tolist(), side.tolist()) == ([1], [4.0], [RIGHT])


def test_rays_do_not_count_beyond_the_limit():
    eye, rays = np.zeros(3), np.array([[0.0], [0.0], [1.0]], np.float32)
    for item in (solid(origin=(0, -1, 9), yaw=0.0), solid(origin=(0, -1, 9), yaw=0.0, round=True)):
        (depth,) = item.intersect(eye, rays, np.array([np.inf]))[1]
        assert len(item.intersect(eye, rays, np.array([depth * 0.99]))[0]) == 0


def test_nearer_solids_hide_farther_ones_in_any_order():
    rng = np.random.default_rng(3)
    items = draw_contents(rng, Street.draw(rng))
    buffers = []
    for order in (items, items[::-1]):
        buffer = DepthBuffer(CAMERA, NOISE)
        buffer.draw(order)
        buffers.append(buffer)
    assert np.array_equal(buffers[0].depth, buffers[1].depth)
    # Drawn alone, without bounds in the image: nothing is nearer than what the buffer holds.
    rays = buffers[0].rays.reshape(3, -1)
    smooth = [item for item in items if not item.rough]
    nearest = np.full(rays.shape[1], np.inf)
    for item in smooth:
        chosen, depth, _ = item.intersect(buffers[0].eye, rays, nearest)
        nearest[chosen] = depth
    of_smooth = np.isin(buffers[0].solid.ravel(), [i for i, item in enumerate(items) if not item.rough])
    assert (buffers[0].depth.ravel()[of_smooth] == nearest[of_smooth]).mean() > 0.999
    assert (buffers[0].depth.ravel() <= nearest).mean() > 0.999


def test_rays_go_through_the_points_that_project_to_them():
    depths = np.random.default_rng(0).uniform(2, 50, (65, 129))
    points = np.moveaxis(np.array(CAMERA.position)[:, None, None] + depths * CAMERA.rays(), 0, -1)
    columns, rows, depth = CAMERA.project(points)
    np.testing.assert_allclose(depth, depths, rtol=1e-5)
    np.testing.assert_allclose(rows[1::2, 0], np.arange(32), atol=1e-3)
    np.testing.assert_allclose(columns[0, 1::2], np.arange(64), atol=1e-3)


@pytest.mark.parametrize('seed', range(6))
def test_ground_points_lie_on_road_pavement_or_kerb(seed):
    street = Street.draw(np.random.default_rng(seed))
    buffer = DepthBuffer(CAMERA, NOISE)
    draw_ground(street, buffer)
    ground = buffer.depth < 60
    x, y, z = buffer.eye[:, None] + buffer.depth[ground] * buffer.rays[:, ground]
    kind, beyond = buffer.side[ground], street.beyond_road(x, z)
    assert np.abs(y[kind == ROAD]).max() < 1e-4 and (beyond[kind == ROAD] < 1e-3).all()
    high = kind >= PAVEMENT
    assert np.abs(y[high] - 0.12).max() < 1e-4 and (beyond[high] > -1e-3).all()
    kerb = kind == KERB
    assert ((y[kerb] > -1e-4) & (y[kerb] < 0.1201)).all() and (np.abs(beyond[kerb]) < 0.01).all()
    assert np.isinf(buffer.depth[buffer.rays[1] > 0]).all()


def test_a_car_throws_a_shadow_away_from_the_sun():
    street = Street.draw(np.random.default_rng(0))
    car = solid(origin=(0, 0, 9), yaw=0.0, shadow=True)
    camera = Camera(32, 64, (0.0, 4.0, 0.0), pitch=0.4, yaw=0.0)
    base = Light.draw(np.random.default_rng(0))
    sides = {}
    for side in (-1, 1):
        toward = np.array([side, 1, 0], np.float32) / np.sqrt(np.float32(2))
        light = Light(**vars(base) | dict(direction=toward, sun=np.ones(3, np.float32), haze=0.0))
        buffer = DepthBuffer(camera, NOISE)
        draw_ground(street, buffer)
        buffer.draw([car])
        sides[side] = shade(buffer, street, [car], light, NOISE)
    x = buffer.eye[0] + buffer.depth * buffer.rays[0]
    z = buffer.eye[2] + buffer.depth * buffer.rays[2]
    right = (buffer.solid < 0) & (x > 1.1) & (x < 2) & (np.abs(z - 9) < 1.5)
    assert right.sum() > 5
    # With the sun on the left, the ground on the right of the car is darker than with the sun on the right.
    assert sides[-1][:, right].mean() < 0.8 * sides[1][:, right].mean()


@pytest.mark.parametrize('material', sorted(MATERIALS))
def test_materials_give_finite_colors_that_vary(material):
    street = Street.draw(np.random.default_rng(0))
    item = solid(material=material, round=material == 'wheel', style=np.random.default_rng(1).random(6))
    buffer = DepthBuffer(CAMERA, NOISE)
    draw_ground(street, buffer)
    buffer.draw([item])
    colors = shade(buffer, street, [item], Light.draw(np.random.default_rng(1)), NOISE)
    assert np.isfinite(colors).all() and (colors >= 0).all()
    assert (buffer.solid >= 0).any()
    assert colors[:, buffer.solid >= 0].std() > 0

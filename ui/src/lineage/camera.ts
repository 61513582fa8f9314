// What part of the plane is seen: a scale, and where the origin of the plane is on the screen.

export interface Camera {
  x: number;
  y: number;
  scale: number;
}

export interface Area {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const LEAST = 0.02;
const MOST = 2.5;

export function zoomed(camera: Camera, factor: number, atX: number, atY: number): Camera {
  const scale = Math.min(MOST, Math.max(LEAST, camera.scale * factor));
  const change = scale / camera.scale;
  return { scale, x: atX - (atX - camera.x) * change, y: atY - (atY - camera.y) * change };
}

export function seen(camera: Camera, width: number, height: number, margin = 0): Area {
  const { x, y, scale } = camera;
  return { left: -x / scale - margin, top: -y / scale - margin, right: (width - x) / scale + margin, bottom: (height - y) / scale + margin };
}

/** Returns the camera that has all of a plane in a window, no larger than it is. */
export function fitted(planeWidth: number, planeHeight: number, width: number, height: number): Camera {
  const scale = Math.min(1, Math.max(LEAST, Math.min((width - 48) / Math.max(1, planeWidth), (height - 48) / Math.max(1, planeHeight))));
  return { scale, x: (width - planeWidth * scale) / 2, y: (height - planeHeight * scale) / 2 };
}

/** Returns the camera with a point of the plane in the middle of a window. */
export function centred(planeX: number, planeY: number, scale: number, width: number, height: number): Camera {
  return { scale, x: width / 2 - planeX * scale, y: height / 2 - planeY * scale };
}

export function cameraText({ x, y, scale }: Camera): string {
  return `${Math.round(x)},${Math.round(y)},${Number(scale.toFixed(3))}`;
}

export function cameraOf(text: string | null): Camera | null {
  const [x, y, scale] = (text ?? "").split(",").map(Number);
  if (x === undefined || y === undefined || scale === undefined || ![x, y, scale].every(Number.isFinite) || scale <= 0) return null;
  return { x, y, scale: Math.min(MOST, Math.max(LEAST, scale)) };
}

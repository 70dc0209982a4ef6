// The addresses that the page is at and asks.

export const BASE = '/api';
export const SESSION = '/session';
export const LESSON = /^\/watch\/(\d+)\/?$/;
export const grantOf = (id) => `${BASE}/recordings/${id}/playback/`;

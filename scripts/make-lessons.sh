#!/usr/bin/env bash
# Makes the demo's lessons: real H.264/AAC MP4s from synthetic pictures and tones,
# small, with a key frame every two seconds so that seeking is exact enough.
# optics.mp4 has its index (moov) at the end, as recorders write it; the others
# have it in front. Needs ffmpeg with libx264.
set -euo pipefail
cd "$(dirname "$0")/../internal/lessons/media"

make_lesson() { # NAME SECONDS PICTURE TONE VIDEO_RATE EXTRA...
	local name=$1 seconds=$2 picture=$3 tone=$4 rate=$5
	shift 5
	ffmpeg -v error -y -f lavfi -i "$picture" -f lavfi -i "$tone" -t "$seconds" \
		-c:v libx264 -profile:v main -preset veryslow -pix_fmt yuv420p -b:v "$rate" -g 24 -keyint_min 24 -sc_threshold 0 \
		-c:a aac -b:a 24k -ac 1 -ar 22050 -map_metadata -1 -fflags +bitexact "$@" "$name"
}

make_lesson algebra.mp4 75 "testsrc2=size=320x180:rate=12" "sine=frequency=330:beep_factor=4" 32k -movflags +faststart
make_lesson optics.mp4 60 "smptehdbars=size=320x180:rate=12" "sine=frequency=440:beep_factor=2" 16k
make_lesson history.mp4 300 "mandelbrot=size=320x180:rate=1:end_scale=0.05,fps=4" "sine=frequency=220:beep_factor=4" 8k -b:a 12k -g 8 -keyint_min 8 -movflags +faststart
ls -l ./*.mp4

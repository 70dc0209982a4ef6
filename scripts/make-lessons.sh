#!/usr/bin/env bash
# Encodes the demo's lessons and what accompanies them: small H.264/AAC MP4s from synthetic pictures and tones,
# with a key frame every two seconds so that seeks are exact enough.
# optics.mp4 has its index (moov) at the end, as recorders write it; the others
# have it in front. Needs ffmpeg with libx264.
set -euo pipefail
cd "$(dirname "$0")/../internal/demo/lessons/media"

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

# make_board draws a blackboard: each SLIDE, lines separated by "|", is shown for the
# same time; the first line is its heading. Needs ffmpeg with libfreetype.
make_board() { # NAME SECONDS_PER_SLIDE COLOUR TONE SLIDE...
	local name=$1 each=$2 colour=$3 tone=$4 filter= from=0 slide line at
	local serif=/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf
	shift 4
	local total=$(($# * each))
	for slide in "$@"; do
		at=0
		while IFS= read -r line; do
			printf '%s' "$line" >"$texts/$from-$at"
			filter+="drawtext=fontfile=$serif:textfile=$texts/$from-$at:fontcolor=0xf4f1e6:fontsize=$((at == 0 ? 46 : 32)):x=70:y=$((at == 0 ? 60 : 104 + at * 58)):enable='between(t,$from,$((from + each)))',"
			at=$((at + 1))
		done < <(tr '|' '\n' <<<"$slide")
		from=$((from + each))
	done
	filter+="drawbox=x=70:y=128:w=200:h=3:color=0xe9c46a:t=fill"
	make_lesson "$name" "$total" "color=c=$colour:size=854x480:rate=10,$filter" "$tone" 24k -g 40 -keyint_min 40 -b:a 16k -movflags +faststart
}
texts=$(mktemp -d)
trap 'rm -rf "$texts"' EXIT
make_board geometry.mp4 24 0x1f3d36 "sine=frequency=262:beep_factor=2,volume=0.2" \
	"The Pythagorean theorem|In a right triangle the square on the|longest side is the sum of the squares|on the other two." \
	"a² + b² = c²|a = 3,  b = 4|9 + 16 = 25|c = 5" \
	"Why it is so|Four copies of the triangle in a square|of side a + b leave a square of side c." \
	"Where it helps|the diagonal of a screen|the shortest way across a field|the distance between two points" \
	"For next time|Find all right triangles with whole sides|that are shorter than 30."
make_board newton.mp4 20 0x26334d "sine=frequency=196:beep_factor=2,volume=0.2" \
	"Законы Ньютона|1. Тело покоится или движется|    равномерно, пока на него|    не подействует сила." \
	"Второй закон|F = m·a|m = 2 кг,  a = 3 м/с²|F = 6 Н" \
	"Третий закон|Действие равно противодействию." \
	"Задание|Лодка и берег: кто кого тянет?"

# What accompanies the lessons: a poster each, previews and the sound of one.
poster() { # NAME SECOND
	ffmpeg -nostdin -v error -y -ss "$2" -i "$1.mp4" -frames:v 1 -vf scale=640:-2 -q:v 6 -map_metadata -1 -fflags +bitexact "$1.jpg"
}
poster algebra 12
poster optics 12
poster history 120
poster geometry 30
poster newton 30
ffmpeg -nostdin -v error -y -i geometry.mp4 -frames:v 1 -vf "fps=1/10:round=down,scale=160:90,tile=4x3" -q:v 6 -map_metadata -1 -fflags +bitexact geometry.storyboard.jpg
{
	printf 'WEBVTT\n'
	for tile in {0..11}; do
		printf '\n%02d:%02d.000 --> %02d:%02d.000\nstoryboard.jpg#xywh=%d,%d,160,90\n' \
			$((tile * 10 / 60)) $((tile * 10 % 60)) $(((tile + 1) * 10 / 60)) $(((tile + 1) * 10 % 60)) $((tile % 4 * 160)) $((tile / 4 * 90))
	done
} >geometry.storyboard.vtt
ffmpeg -nostdin -v error -y -i geometry.mp4 -vn -c copy -movflags +faststart -map_metadata -1 -fflags +bitexact geometry.m4a
ls -l ./*

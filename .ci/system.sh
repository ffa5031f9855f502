#!/bin/sh
# Installs what pip cannot: PortAudio's library, sound servers and a browser for the tests, Python's venv.
#
#   .ci/system.sh yes|no PART...      PART: portaudio, jack, pulse, browser, venv (followed by the Python that lacks it)
#
# Asks the system's package manager, with sudo where that is needed and possible. Where it is not (or with "no")
# it says what to install and ends with 1. What is there already costs nothing.
set -eu

allowed=$1
shift

has() { command -v "$1" >/dev/null 2>&1; }

has_library() { # NAME: does the dynamic linker know libNAME?
    case $(uname -s) in
        Linux) for ldconfig in ldconfig /sbin/ldconfig; do
                   # grep reads to the end: with -q it would close the pipe under ldconfig.
                   if "$ldconfig" -p 2>/dev/null | grep "lib$1\.so" >/dev/null; then return 0; fi
               done
               return 1 ;;
        *) return 0 ;; # sounddevice carries PortAudio on macOS and Windows
    esac
}

has_alsa_plugin() { # ALSA loads it by its path, so the dynamic linker does not know it
    for folder in /usr/lib/*/alsa-lib /usr/lib64/alsa-lib /usr/lib/alsa-lib; do
        if [ -e "$folder/libasound_module_pcm_pulse.so" ]; then return 0; fi
    done
    return 1
}

manager() {
    for name in apt-get dnf pacman zypper brew; do
        if has "$name"; then echo "$name"; return; fi
    done
}

packages() { # PART: its packages in the words of this system's manager; nothing where we do not know them
    case $1:$(manager) in
        portaudio:apt-get) echo libportaudio2 ;;
        portaudio:pacman | portaudio:dnf) echo portaudio ;;
        portaudio:zypper) echo libportaudio2 ;;
        jack:apt-get) echo jackd2 ;;
        jack:dnf) echo jack-audio-connection-kit ;;
        jack:pacman) echo jack2 ;;
        jack:zypper | jack:brew) echo jack ;;
        pulse:apt-get) echo pulseaudio pulseaudio-utils libasound2-plugins ;;
        pulse:dnf) echo pulseaudio pulseaudio-utils alsa-plugins-pulseaudio ;;
        pulse:pacman) echo pulseaudio alsa-plugins ;;
        pulse:zypper) echo pulseaudio pulseaudio-utils alsa-plugins-pulse ;;
        browser:apt-get | browser:dnf | browser:pacman | browser:zypper) echo chromium ;;
        venv:apt-get) echo python3-venv ;;
        venv:dnf | venv:zypper) echo python3 ;;
        venv:pacman | venv:brew) echo python ;;
    esac
}

words() { # PART: what it is, for a person
    case $1 in
        portaudio) echo "PortAudio's library" ;;
        jack) echo "a JACK server (jackd)" ;;
        pulse) echo "PulseAudio, its pactl, and ALSA's plugin for it" ;;
        browser) echo "Chromium (the tests of the web mixer)" ;;
        venv) echo "Python 3.10 or newer with the modules venv and ensurepip" ;;
    esac
}

is_there() { # PART
    case $1 in
        portaudio) has_library portaudio ;;
        jack) has jackd ;;
        # PulseAudio would take the place of PipeWire's server and with it the user's sound: there its tests are skipped.
        pulse) [ "$(uname -s)" != Linux ] || has pipewire-pulse \
                   || { has pulseaudio && has pactl && has_alsa_plugin; } ;;
        # Where there is none to be had in this way (a Mac, Ubuntu's snap in a container), its tests are skipped.
        browser) [ "$(uname -s)" != Linux ] || has chromium || has chromium-browser || has google-chrome ;;
        venv) "$python" -c 'import ensurepip, venv, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ;;
        *) echo "$0: unknown part '$1'; there are portaudio, jack, pulse, browser and venv" >&2; exit 2 ;;
    esac
}

those_missing() { # PART...: the ones that are not there, one a line
    for part in "$@"; do is_there "$part" || echo "$part"; done
}

command_for() { # PACKAGES: what a person would type
    case $(manager) in
        apt-get) echo "apt-get install -y --no-install-recommends $*" ;;
        dnf) echo "dnf install -y $*" ;;
        pacman) echo "pacman -S --noconfirm --needed $*" ;;
        zypper) echo "zypper --non-interactive install $*" ;;
        brew) echo "brew install $*" ;;
    esac
}

as_root() { # COMMAND...: brew refuses root, all others need it
    if [ "$(manager)" = brew ] || [ "$(id -u)" = 0 ]; then "$@"
    elif has sudo && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then sudo "$@"
    else return 1
    fi
}

install_packages() {
    if [ "$(manager)" = apt-get ]; then
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q || return 1
        # shellcheck disable=SC2046 # a command is words
        as_root env DEBIAN_FRONTEND=noninteractive $(command_for "$@")
    else
        # shellcheck disable=SC2046
        as_root $(command_for "$@")
    fi
}

parts=
python=python3
while [ $# -gt 0 ]; do
    parts="$parts $1"
    if [ "$1" = venv ]; then python=$2; shift; fi
    shift
done

# shellcheck disable=SC2086 # parts and packages are lists
{
    missing=$(those_missing $parts)
    [ -n "$missing" ] || exit 0
    wanted=
    for part in $missing; do wanted="$wanted $(packages "$part")"; done
    wanted=${wanted# }
    if [ "$allowed" = yes ] && [ -n "${wanted# }" ]; then
        echo "Installing $wanted ..."
        if install_packages $wanted; then missing=$(those_missing $missing); fi
        [ -n "$missing" ] || exit 0
    fi
    for part in $missing; do echo "Please install $(words "$part")." >&2; done
    if [ -n "${wanted# }" ]; then echo "  $(command_for $wanted)" >&2; fi
}
exit 1

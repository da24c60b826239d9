# Runs a server until it ends, or until the other end of our standard input closes.
# usage: LOG FOLDER remove|keep COMMAND...
exec 3<&0 >>"$1" 2>&1
# A group with a stopped process in it is told when its parent goes; we go on.
trap '' HUP
folder=$2 left=$3
shift 3
"$@" </dev/null &
server=$!

# Signals every process that runs in the folder.
everybody() {
    for cwd in /proc/[0-9]*/cwd; do
        case $(readlink "$cwd") in
            "$folder"/*) pid=${cwd%/cwd} && kill "-$1" "${pid#/proc/}" ;;
        esac
    done
}

{
    word=
    while read -r said; do word=$said; done
    if [ -n "$word" ]; then
        kill -INT $server
        exit
    fi
    # Nobody is there any more who said that this was meant: away with all of it.
    everybody CONT
    kill -QUIT $server
    for _ in 1 2 3 4 5; do
        kill -0 $server && sleep 1
    done
    everybody KILL
    [ "$left" = keep ] || rm -rf "$folder"
} <&3 2>/dev/null &
exec 3<&-
wait $server

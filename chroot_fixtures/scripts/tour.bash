# A tour of bash: what a script of a Debian system may use. Its output is the same on every run.
shopt -s extglob nullglob
cd "$(mktemp -d)" || exit 9
section() { printf '== %s\n' "$1"; }

section arrays
a=(one two "three 3" [7]=eight)
a+=(nine)
echo "${#a[@]} ${!a[*]} ${a[2]} ${a[@]:1:2} ${a[-1]}"
unset 'a[1]'
for i in "${!a[@]}"; do printf '%d=%s;' "$i" "${a[$i]}"; done; echo
declare -A capital=([France]=Paris [Peru]=Lima)
capital[Chad]="N'Djamena"
for country in France Peru Chad; do echo "$country: ${capital[$country]}"; done
[[ -v capital[Peru] ]] && unset 'capital[Peru]'; echo "${#capital[@]}"
declare -n alias=a; echo "${alias[0]}"
readonly fixed=1; (fixed=2) 2>/dev/null || echo "readonly"

section traps
(trap 'echo "exit trap $?"' EXIT; trap 'echo usr1' USR1; kill -USR1 $BASHPID; echo between; exit 3); echo "status $?"
(trap 'echo "error on $?"' ERR; false; (exit 4); true)
(trap 'echo "debug"' DEBUG; :)
(trap '' TERM; kill -TERM $BASHPID; echo "survived TERM")
f_return() { trap 'echo "returning"' RETURN; echo body; }; f_return; trap - RETURN
{ (kill -KILL $BASHPID); } 2> /dev/null; echo "killed: $?"
{ (ulimit -c 0; kill -SEGV $BASHPID); } 2> /dev/null; echo "crashed: $?"

section subshells
x=1; (x=2; echo "inside $x"); echo "outside $x"
x=$(x=5; echo "substituted $x"); echo "$x"
{ echo a; echo b >&2; } 2>&1 | cat
echo "level $(echo $(echo $BASH_SUBSHELL))"
(exit 7); echo $?
true | false | true; echo "${PIPESTATUS[*]}"
(set -o pipefail; false | true; echo $?)
(set -e; false; echo unreachable); echo "errexit $?"
(set -u; : "$undefined_variable") 2>/dev/null; echo "nounset $?"

section "here documents"
name=world
cat <<END
hello $name $((6 * 7)) $(echo sub)
END
cat <<'END'
literal $name \n
END
cat <<-END
	tabs are gone
	END
tr a-z A-Z <<< "here string $name"
while read -r first rest; do echo "$rest/$first"; done <<< $'a b c\nd e'

section jobs
sleep 5 & sleeper=$!
jobs | sed 's/  */ /g'
kill $sleeper; wait $sleeper 2>/dev/null; echo "waited $?"
(sleep 0.05; exit 5) & (sleep 0.4; exit 6) &
wait -n; echo "first $?"; wait -n; echo "second $?"; wait -n 2>/dev/null; echo "none $?"
for i in 1 2 3 4 5; do (exit $i) & pids[i]=$!; done
sum=0; for i in 1 2 3 4 5; do wait "${pids[i]}"; ((sum += $?)); done; echo "sum $sum"
set -m; sleep 5 & kill -STOP %%; wait %% 2>/dev/null; echo "stopped $?"; set +m; kill -KILL $!; sleep 0.1

section "process substitution"
diff <(printf '%s\n' a b c) <(printf '%s\n' a x c)
cat <(echo one) <(echo two)
echo data | tee >(tr a-z A-Z > upper) | cat > lower; while [ ! -s upper ]; do sleep 0.01; done; cat lower upper
mapfile -t lines < <(printf 'l%d\n' {1..5}); echo "${#lines[@]} ${lines[4]}"

section coproc
coproc SORT { sort -n; }
sorter=$SORT_PID; exec 8<&"${SORT[0]}" 9>&"${SORT[1]}"; eval "exec ${SORT[1]}>&-"
printf '%d\n' 30 4 100 >&9; exec 9>&-
tr '\n' ' ' <&8; echo; exec 8<&-
wait "$sorter" 2>/dev/null; echo "sorter is done"

section arithmetic
echo $((2**62 + 5 % 3)) $((-7 / 2)) $((-7 % 3)) $((0xff)) $((8#17)) $((36#z)) $((1 ? 2 : 3)) $((5 & 3 | 8 ^ 1)) $((~0)) $((1 << 40 >> 38))
i=5; echo $((i++ + ++i)) $i $((i -= 3, i * 2)); let 'j = 3 * 4'; echo $j
for ((k = 0, m = 10; k < m; k += 3, m--)); do echo -n "$k,$m "; done; echo
((0)) || echo "zero is false"; echo $((9223372036854775807 + 1))
echo $((1 / 0)) 2>/dev/null || echo "division"

section printf
printf '%s|%5d|%-5d|%05d|%x|%o|%e|%.3f|%g|%c|%%|%b|%q\n' str 42 42 42 255 8 12345.678 3.14159 0.0001 char 'a\tb' "it's"
printf '%s-%s\n' 1 2 3 4; printf '%(%Y-%m-%d)T\n' 86400; printf -v formatted '%03d' 7; echo "$formatted"
printf '%d %d\n' "'A" 0x1F; printf '\x41\u00e9\101\n'

section read
printf 'a:b:c\n' | { IFS=: read -r p q r; echo "$r$q$p"; }
read -r -t 0.05 never < <(sleep 1); [ $? -gt 128 ] && echo "timed out"
echo abcdef | { read -r -n 3 part; echo "$part"; }
printf 'x\0y\0' | while IFS= read -r -d '' z; do echo "<$z>"; done
IFS=, read -ra fields <<< "1,2,,4"; echo "${#fields[@]} ${fields[3]}"

section regex
[[ "user@example.org" =~ ^([a-z]+)@([a-z.]+)$ ]] && echo "${BASH_REMATCH[1]} at ${BASH_REMATCH[2]}"
[[ foobar == foo* && foobar != *baz ]] && echo glob
case x.tar.gz in *.zip) echo zip ;; *.tar.@(gz|xz)) echo tar ;;& x*) echo too ;; esac

section globbing
touch a1 a2 b1 .hidden 'with space'; mkdir -p d/e/f; touch d/e/f/deep
echo a? [ab]1 !(a*) *.none; (shopt -s dotglob; echo *hid*); (shopt -s globstar; echo **/deep); (shopt -s failglob; echo *.none) 2>/dev/null || echo failed
echo {a,b{1..3},c} {01..10..3} {z..w}

section functions
factorial() { local n=$1; if ((n <= 1)); then echo 1; else echo $((n * $(factorial $((n - 1))))); fi; }
factorial 10
outer() { local v=outer; inner; echo "$v"; }; inner() { v=changed; echo "${FUNCNAME[1]}"; }; outer; echo "${v-unset}"
args() { echo "$# $1 ${*: -1} ${@:2:1}"; set -- q r; shift; echo "$1"; return 42; }; args x "y y" z; echo $?

section getopts
options() { local OPTIND=1 o; while getopts ':ab:c' o "$@"; do echo "$o=${OPTARG-}"; done; shift $((OPTIND - 1)); echo "rest $*"; }
options -a -b value -cx file1 file2

section limits
ulimit -n 64; ulimit -n; (ulimit -f 1; head -c 4096 /dev/zero > big) 2>/dev/null; echo "file size: $?"; stat -c %s big
umask 027; touch masked; stat -c %a masked; umask -S; umask 022
(ulimit -u 0; : ) && echo "limit set"

section tests
touch -d @1000 old; touch -d @2000 new; [ new -nt old ] && echo newer; [ old -ot new ] && echo older
ln old hard; [ old -ef hard ] && echo same; ln -s nowhere dangling; [ -L dangling ] && [ ! -e dangling ] && echo dangling
mkfifo fifo; [ -p fifo ] && echo fifo; [ -s old ] || echo empty; [ -d d -a -x d ] && echo directory; [ -t 0 ] || echo "no terminal"
(echo through > fifo) & read -r line < fifo; echo "$line"; wait

section directories
mkdir -p s/t; pushd s > /dev/null; pushd t > /dev/null; dirs -p | wc -l; popd > /dev/null; basename "$PWD"; popd > /dev/null
cd s; cd - > /dev/null; basename "$OLDPWD"; (cd /; pwd); ln -s s/t link; cd link; basename "$PWD"; basename "$(pwd -P)"; cd ..

section strings
s="The quick brown fox"
echo "${#s} ${s:4:5} ${s: -3} ${s%fox} ${s##* } ${s/quick/slow} ${s//o/0} ${s^^} ${s,,} ${s/#The/A}"
echo "${unset:-default} ${unset:=assigned} ${unset:+alternate} ${s@Q} ${!un*}"
shout() { printf '%s!\n' "${1@U}"; }; shout loud
path=/usr/local/lib/file.tar.gz; echo "${path##*/} ${path%/*} ${path%%.*} ${path#*.} ${path/\/usr/~}"
printf -v padded '%-10s|' ab; echo "$padded ${padded// /.}"
IFS=:; joined="${a[*]}"; unset IFS; echo "$joined"
declare -i number=5+5; number+=3; echo "$number"; declare -u upper=abc; echo "$upper"; declare -p number upper

section signals
count=0; trap 'count=$((count + 1))' USR1 USR2
for signal in USR1 USR2 USR1; do kill -s $signal $$; done; echo "caught $count"
trap - USR1 USR2; trap -p; kill -l 9; kill -l SEGV
(sleep 0.1; kill -USR1 $$) & trap 'echo "while waiting"' USR1; wait $!; echo "wait returned $(( $? > 128 ))"; wait
bash -c 'trap "echo cleanup; exit 9" TERM; kill -TERM $$; echo unreachable'; echo "status $?"
sh -c 'trap "" INT; sh -c "kill -INT \$\$; echo ignored signals are inherited"'
timeout 0.1 sleep 5; echo "timeout $?"; timeout -s KILL 0.1 sh -c 'sleep 5' 2> /dev/null; echo "timeout $?"

section pipelines
seq 1 1000 | awk '{ s += $1 } END { print s }'
yes | head -n 100000 | wc -l
seq 100 | sort -rn | head -3 | tr '\n' ' '; echo
for i in {1..20}; do echo "$i"; done | while read -r n; do ((n % 5)) || echo -n "$n "; done; echo
(echo first; cat) < <(echo second) | (read -r l; echo "$l"; cat)
echo "status of $(false; echo "$?") in $(true && echo list)"
exec 5> five; echo to five >&5; exec 5>&-; cat five; { echo swapped 3>&1 1>&2 2>&3; } 2> swap; cat swap
echo one > append; echo two >> append; cat < append | cat -n; : > append; wc -c < append
(set -o noclobber; echo three > five) 2> /dev/null || echo "noclobber"; cat five

section "control flow"
n=0; until ((n >= 3)); do ((n++)); ((n == 2)) && continue; echo -n "$n "; done; echo
for x in a b c d; do for y in 1 2 3; do [ $x$y = b2 ] && break 2; echo -n "$x$y "; done; done; echo
select_one() { local PS3='? '; select s in red green; do echo "chose $s"; break; done; }; select_one <<< 2 2> /dev/null
case $((RANDOM >= 0)) in 1) echo random ;; esac
if ! grep -q nothing five; then echo absent; elif true; then echo never; else echo never; fi
eval 'eval "echo nested \$((1 + 1))"'; source <(echo 'sourced() { echo "from a pipe $1"; }'); sourced argument
alias greet='echo greeting'; shopt -s expand_aliases; eval 'greet alias'
type -t cd ls if sourced greet; command -v true; hash -r; builtin echo builtin; unset -f sourced; type sourced 2> /dev/null || echo forgotten
time_output=$( { time -p true; } 2>&1 | awk '{ print $1 }' | tr '\n' ' '); echo "$time_output"
echo "$LINENO ${BASH_SOURCE[0]-stdin} $0 $# $- ${SHLVL}" | wc -w
printf '%s\n' "$(< five)" "$(printf 'trailing\n\n\n')" | od -c | head -3
[[ -o errexit ]] || echo "errexit is off"; [[ $(( $(date +%s) > 1600000000 )) == 1 ]] && echo "the clock runs"
section "records"
declare -A population=([Oslo]=709037 [Bergen]=291940 [Trondheim]=212660)
for city in $(printf '%s\n' "${!population[@]}" | sort); do
    printf '%-12s|%10d|%6.2f%%\n' "$city" "${population[$city]}" "$((population[$city] * 10000 / 1213637))e-2"
done
queue=()
enqueue() { queue+=("$1"); }
dequeue() { echo "${queue[0]}"; queue=("${queue[@]:1}"); }
enqueue first; enqueue "second one"; enqueue third
while ((${#queue[@]})); do
    head=${queue[0]}
    dequeue > /dev/null
    queue=("${queue[@]:1}")
    echo "took '$head', ${#queue[@]} left"
    ((${#queue[@]} > 1)) || break
done
fibonacci() { (($1 < 2)) && echo "$1" || echo $(($(fibonacci $(($1 - 1))) + $(fibonacci $(($1 - 2))))); }
fibonacci 9

section "workers"
mkdir results
for worker in 1 2 3 4; do
    (
        trap 'echo 0 > results/$worker; exit 3' TERM
        sum=0
        for ((i = worker; i <= 200; i += 4)); do ((sum += i)); done
        echo "$worker $sum" > "results/$worker"
    ) &
done
wait
total=0
while read -r worker sum; do ((total += sum)); done < <(cat results/*)
echo "total $total"
sleep 60 & kill -STOP $!; kill -CONT $!; kill -TERM $!; wait $! 2> /dev/null; echo "status $?"

cd /; rm -rf "$OLDPWD"; [ -d "$OLDPWD" ] || echo "clean"
: "${missing?message}" 2>/dev/null; echo unreachable

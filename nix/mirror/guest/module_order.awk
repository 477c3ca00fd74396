# modules.dep -> the files of the modules named in `wanted`, each after what it needs (depmod(8)).
{
    file = $1
    sub(/:$/, "", file)
    name = file
    sub(/.*\//, "", name)
    sub(/\.ko$/, "", name)
    gsub(/-/, "_", name)
    path[name] = file
    needs[file] = ""
    for (i = 2; i <= NF; i++)
        needs[file] = $i " " needs[file]
}

function visit(file,    list, count, i) {
    if (file in seen)
        return
    seen[file] = 1
    count = split(needs[file], list, " ")
    for (i = 1; i <= count; i++)
        visit(list[i])
    print file
}

END {
    count = split(wanted, names, " ")
    for (i = 1; i <= count; i++) {
        if (!(names[i] in path)) {
            print "the kernel has no module " names[i] > "/dev/stderr"
            exit 1
        }
        visit(path[names[i]])
    }
}

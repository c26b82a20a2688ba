import Host

print("patchbay")

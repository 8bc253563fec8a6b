# Read by LuaJIT's makefile before its own lines: LuaJIT and the shim are compiled as one unit, as its target `amalg`
# does without the shim, so that what either calls of the other can be inlined. build.rs sets LUPA_SHIM, the directory of
# this file, and LUPA_DEFINES. LuaJIT's own program is not made. The flag -w, which luajit-src
# passes, is taken out: with it undeclared functions would be no error.

override LJCORE_O := unit.o
override TARGET_T := libluajit.a jit/vmdef.lua

unit.o: $(LUPA_SHIM)/unit.c $(wildcard $(LUPA_SHIM)/*.[ch]) ljamalg.c \
	  lj_bcdef.h lj_ffdef.h lj_libdef.h lj_recdef.h lj_folddef.h luajit.h
	$(filter-out -w,$(TARGET_CC)) $(TARGET_ACFLAGS) -I. -I$(LUPA_SHIM) $(LUPA_DEFINES) -Werror=implicit-function-declaration -c -o $@ $<

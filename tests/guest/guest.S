/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest in a boot sector and one more: it counts for ever, in RAM and on its drives, checks both against each other,
 * and takes the time of every write.
 *
 * Every round n (in ebp) it
 *   1. checks that the mirror above 1 MiB held n - 1 and that RAM page n % 64 was written 64 rounds ago; writes both,
 *   2. for every drive checks sector 1 (must hold n - 1) and slot n % 128 (must hold n - 128), then writes the slot
 *      and sector 1, in this order,
 *   3. notes how long its slowest write of the round took,
 *   4. speaks on COM1 every 16 rounds: "C 0000abc0" (and "S" when it starts).
 * The slots are spread over the whole drive: slot k lies at LBA k * (sectors / 128), slot 0 in the very last sector;
 * rounds visit them scattered (n * 77 % 128). A sector holds one value, 128 times: the drive's number above 24 bits of n.
 * So whoever knows n and how far the round had come knows every byte of every drive, and a restored guest meets all
 * that it ever wrote within 128 rounds. The first disagreement or I/O error ends the guest with a line
 *   "BAD<what> <drive> <round> <found>", what being M mirror, P page, F sector 1, S slot, E error of the BIOS.
 *
 * Times are differences of the time stamp counter, in units of 1024 ticks (less than a microsecond): the 32-bit words
 * at 0x60000, word n % 16384 for round n. What a tick is worth stands at 0x700: so many ticks passed in so many of the
 * 3,579,545 Hz of the PM timer. Both stand still while the guest is stopped.
 *
 * Assembled by as --32 (16-bit code), linked to 0x7c00: the first three sectors of the first drive, of which sector 1 is
 * left out. Drives need at least 2048 sectors (1 MiB).
 */
        .code16
        .set    TELLS, 0x520            /* what INT 13h function 48h tells of a drive */
        .set    SECTORS, 0x600          /* 4 bytes per drive: its size */
        .set    WRITTEN, 0x1000         /* the sector as it is to be */
        .set    READ, 0x1200            /* the sector as it was found */
        .set    MIRROR, 0x8000          /* in segment 0xffff: just above 1 MiB */
        .set    PAGES, 0x2000           /* segment of the first of the 64 pages */
        .set    TICKS, 0x700            /* 4 bytes each: of the TSC, of the PM timer, the round's slowest, 8 of begin */
        .set    PM_TICKS, TICKS + 4
        .set    SLOWEST, TICKS + 8
        .set    BEGAN, TICKS + 12
        .set    TIMES, 0x6000           /* segment of the slowest write of each round */
        .set    COM1, 0x3f8
        .set    PM_TIMER, 0x608

        .globl  _start
_start: xor     %bp, %bp
        mov     %bp, %ds
        mov     %bp, %ss
        mov     $0x7c00, %sp
        cld
        movzwl  %bp, %ebp
        mov     $packet, %si            /* the rest of this */
        mov     $0x42, %ah
        mov     $0x80, %dl
        int     $0x13
        mov     $'S', %al
        call    putc
        call    newline
        call    calibrate
        mov     drives, %al             /* set by whoever builds the disk, else what the BIOS found */
        test    %al, %al
        jnz     1f
        mov     0x475, %al
1:      add     $0x80, %al
        mov     %al, drives             /* from here on: the first number that is none */

        mov     $0x80, %edx
format: movw    $0x1e, TELLS            /* every drive: its size, and sector 1 at round 0 */
        mov     $TELLS, %si
        mov     $0x48, %ah
        int     $0x13
        jc      error
        mov     TELLS + 16, %eax
        mov     %eax, SECTORS - 0x200(, %edx, 4)
        call    fill_now
        call    write_latest
        inc     %dl
        cmp     drives, %dl
        jne     format
        jmp     next

round:  mov     $'M', %cl               /* 1. RAM */
        push    $-1
        pop     %es
        mov     %es:MIRROR, %eax
        cmp     %ebp, %eax
        jne     bad
next:   inc     %ebp
        push    $-1
        pop     %es
        mov     %ebp, %es:MIRROR
        mov     %bp, %ax
        and     $63, %ax
        shl     $8, %ax
        add     $PAGES, %ax
        mov     %ax, %es
        mov     %ebp, %eax
        xchg    %es:0, %eax
        cmp     $64, %ebp
        jbe     1f
        add     $64, %eax
        mov     $'P', %cl
        cmp     %ebp, %eax
        jne     bad

1:      mov     $0x80, %dl              /* 2. drives */
drive:  mov     %ebp, %eax
        dec     %eax
        call    fill
        mov     $1, %eax
        mov     $'F', %cl
        call    expect
        mov     %ebp, %eax
        sub     $128, %eax
        jbe     1f
        call    fill
        call    slot
        mov     $'S', %cl
        call    expect
1:      call    fill_now
        call    slot
        call    write
        call    write_latest
        inc     %dl
        cmp     drives, %dl
        jne     drive

        call    note_time               /* 3. */
        test    $15, %bp                /* 4. a sign of life */
        jnz     2f
        mov     $'C', %al
        call    putc
        mov     %ebp, %eax
        call    hex
        call    newline
2:      mov     pace, %cl               /* timer ticks to rest after a round, 0 = none */
3:      dec     %cl
        js      round
        sti
        hlt
        jmp     3b

slot:   imul    $77, %ebp, %eax         /* eax = LBA of this round's slot on drive edx */
        mov     SECTORS - 0x200(, %edx, 4), %ebx
        and     $127, %eax
        jnz     1f
        mov     %ebx, %eax
        dec     %eax
        ret
1:      shr     $7, %ebx
        imul    %ebx, %eax
        ret

fill_now:
        mov     %ebp, %eax
fill:   rol     $8, %eax                /* the sector that drive dl gets in round eax */
        mov     %dl, %al
        ror     $8, %eax
        mov     $WRITTEN, %di
        mov     $128, %cx
        push    %ds
        pop     %es
        rep     stosl
        ret

expect: mov     $0x4200, %bx            /* sector eax of drive dl is as filled in; cl = what to say if not */
        mov     $READ, %di
        call    transfer
        mov     $WRITTEN, %si
        mov     $READ, %di
        mov     (%di), %eax
        push    %cx
        mov     $128, %cx
        repe    cmpsl
        pop     %cx
        jne     bad
        ret

write_latest:
        mov     $1, %eax
write:  mov     $0x4300, %bx            /* sector eax of drive dl */
        mov     $WRITTEN, %di
        call    begin
        call    transfer
        jmp     finish

transfer:
        pushl   $0                      /* a disk address packet, from its end */
        push    %eax
        push    %ds
        push    %di
        push    $1
        push    $16
        mov     %sp, %si
        xchg    %ax, %bx
        int     $0x13
        jc      error
        add     $16, %sp
        ret

packet: .byte   16, 0                   /* sector 2 to "more" */
        .word   1, more, 0
        .long   2, 0

        .org    508
pace:   .byte   0
drives: .byte   0
        .word   0xaa55

        .org    1024                    /* sector 1 belongs to the drive */
more:                                   /* the second half */
begin:  push    %eax                    /* a write begins */
        push    %edx
        rdtsc
        mov     %eax, BEGAN
        mov     %edx, BEGAN + 4
        pop     %edx
        pop     %eax
        ret

finish: push    %edx                    /* it has ended */
        rdtsc
        sub     BEGAN, %eax
        sbb     BEGAN + 4, %edx
        shrd    $10, %edx, %eax
        pop     %edx
        cmp     SLOWEST, %eax
        jbe     1f
        mov     %eax, SLOWEST
1:      ret

note_time:
        push    $TIMES
        pop     %es
        mov     %bp, %di
        shl     $2, %di
        xor     %eax, %eax
        xchg    %eax, SLOWEST
        stosl
        ret

calibrate:                              /* for about 18 ms */
        call    sample
        mov     %ebx, %esi
        mov     %ecx, %edi
1:      call    sample
        mov     %ebx, %eax
        sub     %esi, %eax
        and     $0xffffff, %eax
        cmp     $0x10000, %eax
        jb      1b
        mov     %eax, PM_TICKS
        sub     %edi, %ecx
        mov     %ecx, TICKS
        ret

sample: rdtsc                           /* ebx = the PM timer, ecx = the TSC: within a moment, or once more */
        xchg    %eax, %ecx
        mov     $PM_TIMER, %dx
        in      %dx, %eax
        xchg    %eax, %ebx
        rdtsc
        sub     %ecx, %eax
        shr     $19, %eax
        jnz     sample
        ret

error:  mov     $'E', %cl               /* ah: what the BIOS answered */
bad:    push    %eax
        mov     $'B', %al
        call    putc
        mov     $'A', %al
        call    putc
        mov     $'D', %al
        call    putc
        mov     %cl, %al
        call    putc
        mov     %edx, %eax
        call    hex
        mov     %ebp, %eax
        call    hex
        pop     %eax
        call    hex
        call    newline
        cli
        hlt

hex:    push    %eax                    /* " " and eax in 8 digits */
        mov     $' ', %al
        call    putc
        pop     %eax
        mov     $8, %cx
1:      rol     $4, %eax
        push    %ax
        and     $15, %al
        cmp     $10, %al
        sbb     $0x69, %al
        das
        call    putc
        pop     %ax
        loop    1b
        ret

newline:
        mov     $'\n', %al
putc:   push    %dx
        push    %ax
        mov     $COM1 + 5, %dx
1:      in      %dx, %al
        test    $0x20, %al
        jz      1b
        pop     %ax
        mov     $COM1, %dx
        out     %al, %dx
        pop     %dx
        ret

        .org    1536
